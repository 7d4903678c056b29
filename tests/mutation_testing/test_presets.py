"""The sets of mutants that have a name: every operator of each acts on a network that has something for it."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch
from torch import nn

import genewright as gw
from genewright.mutation_testing import presets
from genewright.mutation_testing.mutants import Mutants
from genewright.mutation_testing.outcome import Outcome
from tests.mutation_testing.nets import blobs, mlp, trained

SETS = {name: value for name in gw.testing.__all__ if isinstance(value := getattr(gw.testing, name), Mutants)}


class Chain(nn.Module):
    """Two layers of one signature, an activation between them, and one that is a layer of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.a, self.act = nn.Linear(6, 8), nn.Linear(8, 8), nn.ReLU()
        self.b, self.drop, self.head = nn.Linear(8, 8), nn.Dropout(0.5), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.drop(self.b(self.act(self.a(self.stem(x))))))


def chain() -> nn.Module:
    torch.manual_seed(3)
    return trained(Chain(), blobs(), steps=20)


def test_every_file_of_presets_has_a_public_name() -> None:
    files = [path.stem for path in Path(presets.__path__[0]).glob("*.py") if path.stem != "__init__"]
    modules = [importlib.import_module(f"{presets.__name__}.{file}") for file in files]
    held = [value for module in modules for value in vars(module).values() if isinstance(value, Mutants)]
    assert {id(value) for value in held} == {id(value) for value in SETS.values()}
    assert len(SETS) == len(files) == 7


@pytest.mark.parametrize("name", SETS)
def test_every_operator_has_a_site_and_none_is_refused_or_crashes(name: str) -> None:
    mutants, net = SETS[name], chain()
    before = gw.fingerprint(net)
    report = gw.campaign(net, blobs(40), mutants, count=2 * len(mutants.operators), seed=1)
    found = report.outcomes()
    assert found[Outcome.REFUSED] == found[Outcome.CRASHED] == 0
    assert report.notes == ()
    assert {row.operator for row in report.rows} == {operator.name for operator in mutants.operators}
    assert gw.fingerprint(net) == before


@pytest.mark.parametrize("name", SETS)
def test_a_specification_is_read_back(name: str) -> None:
    assert Mutants.from_json(SETS[name].to_json()).to_json() == SETS[name].to_json()


def test_an_operator_without_anything_to_choose_from_is_left_out_and_named() -> None:
    report = gw.campaign(mlp(), blobs(40), gw.testing.LEMON, count=11, seed=1)
    assert "swap_layers" not in {row.operator for row in report.rows}
    assert len(report.notes) == 1
    assert "SwapLayers" in report.notes[0]
    assert report.outcomes()[Outcome.REFUSED] == 0


def test_a_layer_that_does_nothing_at_inference_is_unchanged_not_survived() -> None:
    """All layers that can be removed from this network are Dropouts, as in the network that DeepMutation++ shows."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 5), nn.Dropout(0.5), nn.Linear(5, 4)).eval()
    report = gw.campaign(net, blobs(40), gw.Mutants(gw.RemoveLayer(), sites="all"), count=6, seed=1)
    assert report.outcomes()[Outcome.UNCHANGED] == 6
    assert report.score().of == 0
