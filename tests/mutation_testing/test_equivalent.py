"""Mutants that are equivalent by construction: none is ever counted as survived, nor as killed."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

import genewright as gw
from genewright.mutation_testing.outcome import Outcome
from tests.mutation_testing.nets import blobs


def dropouts() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 5), nn.Dropout(0.5), nn.ReLU(), nn.Dropout(0.2), nn.Linear(5, 4))


def dead() -> nn.Sequential:
    """Three hidden units never fire, and one is read by nobody."""
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))
    with torch.no_grad():
        net[0].weight[:3] = 0
        net[0].bias[:3] = -1
        net[2].weight[:, 3] = 0
        net[0].weight[4] = net[0].weight[5]
    return net


def twins() -> nn.Sequential:
    net = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 4))
    net[2].load_state_dict(net[0].state_dict())
    return net


EQUIVALENT: list[tuple[Any, Any]] = [
    # layers that do nothing at inference, or nothing the second time
    *((dropouts, gw.RemoveLayer(layer)) for layer in ("1", "3")),
    *((dropouts, gw.CopyLayer(layer)) for layer in ("1", "2", "3")),
    *((dropouts, gw.InsertLayer(after, layer="Identity", init="noise")) for after in ("0", "1", "2", "3", "4")),
    *((dropouts, gw.InsertLayer(after, layer="ReLU", init="noise")) for after in ("2", "3")),
    *((dropouts, gw.ReplaceActivation(where, to="ReLU")) for where in ("2", "*")),
    *((twins, gw.CopyLayer(layer)) for layer in ("1", "3")),
    *((twins, gw.InsertLayer(after, layer="Identity", init="noise")) for after in ("0", "2", "3", "4")),
    (twins, gw.SwapLayers("0", "2")),
    (twins, gw.SwapLayers("0")),
    # masks that draw nothing, and numbers that change nothing
    *((dead, operator) for operator in (
        gw.Zero(rate=0.0), gw.BitFlip(rate=0.0), gw.SignFlip(rate=0.0), gw.GaussianNoise(std=1.0, rate=0.0),
        gw.GaussianNoise(std=0.0), gw.UniformNoise(bound=0.0), gw.Shuffle(rate=0.0), gw.Scale(factor=1.0, rate=1.0),
        gw.Shift(amount=0.0, rate=1.0), gw.StuckAt(rate=0.0), gw.SetValue(rate=0.0), gw.Scale(rate=0.0),
        gw.BlockInputs(rate=0.0), gw.BlockUnits(rate=0.0), gw.InvertUnits(rate=0.0),
    )),
    # units that never fire, and what comes into one that nobody reads
    *((dead, gw.BlockUnits(rate=1.0, where=gw.where("0", units=[unit]))) for unit in range(4)),
    *((dead, gw.BlockUnits(rate=1.0, side="in", where=gw.where("0", units=[unit]))) for unit in range(4)),
    *((dead, gw.Zero(rate=1.0, where=gw.where("0.weight", units=[unit]))) for unit in range(3)),
    *((dead, gw.Scale(factor=2.0, rate=1.0, where=gw.where("0", units=[unit]))) for unit in range(4)),
    # the same bits again
    (dead, gw.SetValue(value=-1.0, rate=1.0, where=gw.where("0.bias", units=[0, 1, 2]))),
    (dead, gw.StuckAt(value=1, bits="sign", rate=1.0, where=gw.where("0.bias", units=[0, 1, 2]))),
]  # fmt: skip


def test_none_of_fifty_counts_as_survived_or_killed() -> None:
    data = blobs(60)
    assert len(EQUIVALENT) >= 50
    for make, operator in EQUIVALENT:
        torch.manual_seed(1)
        net = make().eval()
        report = gw.campaign(net, data, gw.Mutants(operator, sites="all"), count=1, criterion="any", seed=1)
        assert report.rows[0].outcome is Outcome.UNCHANGED, (operator, report.rows[0])
        assert report.score().of == 0


def test_the_same_operators_where_they_do_something_are_told_apart() -> None:
    """Else the test above would hold of an engine that calls everything unchanged."""
    torch.manual_seed(1)
    net = dead().eval()
    for operator in (gw.Zero(rate=1.0, where="2"), gw.BlockUnits(rate=1.0), gw.RemoveLayer("1")):
        report = gw.campaign(net, blobs(60), gw.Mutants(operator, sites="all"), count=1, criterion="any", seed=1)
        assert report.rows[0].outcome in (Outcome.KILLED, Outcome.SURVIVED)


def test_what_is_proved_equal_is_unchanged_though_its_outputs_differ_by_rounding() -> None:
    """A wider layer sums in another order; a claim that does not hold on the data is not believed."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4)).eval()
    wider = gw.Mutants(gw.Widen("0", num_units=3), sites="all")
    report = gw.campaign(net, blobs(60), wider, count=5, criterion="output", seed=1)
    assert report.outcomes()[Outcome.UNCHANGED] == 5
    assert any(row.largest_change > 0 and row.note.startswith("proved equal") for row in report.rows)
    assert gw.MutationReport.from_json(report.to_json()).rows == report.rows
    both = gw.Mutants(gw.Sequence((gw.Widen("0", num_units=3), gw.Zero(rate=0.5, where="2.weight"))), sites="all")
    found = gw.campaign(net, blobs(60), both, count=3, criterion="output", seed=1)
    assert found.outcomes()[Outcome.KILLED] == 3
