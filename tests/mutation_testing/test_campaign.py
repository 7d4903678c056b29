"""Campaigns: six outcomes kept apart, the same report whoever runs it, and the model as it was."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import genewright as gw
from genewright.testing import STANDARD
from tests.mutation_testing.nets import blobs, mlp, trained


@functools.cache
def net() -> Any:
    return trained(mlp(), blobs(200, 1))


@functools.cache
def standard() -> gw.MutationReport:
    return gw.mutation_score(net(), blobs(), count=36, seed=1)


def test_every_mutant_has_one_outcome_and_the_model_is_as_it_was() -> None:
    before = gw.fingerprint(net())
    report = gw.mutation_score(net(), blobs(), count=24, seed=1)
    assert gw.fingerprint(net()) == before
    assert not net().training
    assert sum(report.outcomes().values()) == 24
    assert [row.number for row in report.rows] == list(range(24))
    assert report.score().of == report.outcomes()[gw.Outcome.KILLED] + report.outcomes()[gw.Outcome.SURVIVED]


def test_a_row_is_what_a_mutant_made_by_hand_gives() -> None:
    x, y = blobs()
    report = standard()
    with torch.no_grad():
        right = net()(x).argmax(1) == y
        for row in report.rows[:12]:
            mutant = report.mutant(row.number, net(), example=x[:2])
            assert gw.fingerprint(mutant) == row.result
            wrong = mutant(x).argmax(1) != y
            assert row.broken == int((right & wrong).sum()), row
            assert row.mended == int((~right & ~wrong).sum()), row
            assert row.after == pytest.approx(float((~wrong).float().mean()))
            assert np.array_equal(report.kills[row.number], (right & wrong).numpy())


def test_more_mutants_change_no_earlier_row() -> None:
    fewer = gw.mutation_score(net(), blobs(), count=10, seed=1, criterion="any")
    assert fewer.rows == standard().with_criterion("any").rows[:10]


def test_shards_together_are_the_campaign() -> None:
    parts = [gw.campaign(net(), blobs(), STANDARD, count=36, seed=1, shard=(k, 3)) for k in range(3)]
    assert gw.MutationReport.merged(parts).to_json() == standard().to_json()
    with pytest.raises(gw.SettingError, match="same mutant"):
        gw.MutationReport.merged([parts[0], parts[0]])


def test_a_store_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    run = functools.partial(gw.mutation_score, net(), blobs(), seed=1, store=tmp_path / "a")
    run(count=20)
    rows = tmp_path / "a" / "rows.jsonl"
    lines = rows.read_bytes().splitlines(keepends=True)
    rows.write_bytes(b"".join(lines[:7]) + lines[7][:40])  # as a kill in the middle of a line leaves it
    assert run(count=36).to_json() == standard().to_json()
    with pytest.raises(gw.StoreError, match="seed differ"):
        gw.mutation_score(net(), blobs(), seed=2, store=tmp_path / "a")


class Touchy(nn.Module):
    """Refuses to run once its weights have changed much."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.inner(x)
        if not float(out.abs().max()) <= 1e6:
            raise ValueError("too large")
        return out


def test_outcomes_are_kept_apart() -> None:
    x, y = blobs()
    spec = gw.Mutants(
        (
            gw.Zero(rate=0.0),  # draws nothing
            gw.BitFlip(bits=30, rate=1.0),  # the exponent's highest bit
            gw.Zero(rate=1.0),
        ),
        sites="all",
    )
    found = gw.campaign(net(), (x, y), spec, count=3, seed=1)
    assert [row.outcome.value for row in found.rows] == ["unchanged", "nonfinite", "killed"]
    assert found.rows[0].note == "no byte changed"
    crashed = gw.campaign(Touchy().eval(), (x, y), gw.Mutants(gw.BitFlip(bits=30, rate=1.0)), count=1, seed=1)
    assert crashed.rows[0].outcome is gw.Outcome.CRASHED
    assert "too large" in crashed.rows[0].note
    refused = gw.campaign(net(), (x, y), gw.Mutants(gw.Zero(count=500), sites="all"), count=1, seed=1)
    assert refused.rows[0].outcome is gw.Outcome.REFUSED
    assert "count is at most" in refused.rows[0].note
    for report in (found, crashed, refused):
        assert report.score().of == sum(row.outcome.value in ("killed", "survived") for row in report.rows)


def test_equivalent_mutants_are_never_counted_as_survived() -> None:
    """Fifty that are known: dead units blocked, masks that draw nothing, ReLU over ReLU, dropout taken out."""
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4))
    with torch.no_grad():
        model[0].bias[:8] = -1e3  # dead on all that comes
        model[3].bias[:4] = -1e3
    dead = tuple(
        gw.BitFlip(bits=0, count=1, where=gw.where(f"{layer}.weight", units=[unit]))
        for layer, units in ((0, 8), (3, 4))
        for unit in range(units)
    )
    nothing = tuple(kind(rate=0.0) for kind in (gw.Zero, gw.SignFlip, gw.GaussianNoise, gw.BitFlip, gw.Shuffle))
    same = (gw.RemoveLayer("2"), gw.InsertLayer(after="1", layer="ReLU"), gw.CopyLayer("1"))
    every = (*dead * 3, *nothing, *same, *dead[:6])
    report = gw.campaign(model.eval(), blobs(40), gw.Mutants(every, sites="all"), count=len(every), seed=1)
    assert len(report.rows) == 50
    assert {row.outcome for row in report.rows} == {gw.Outcome.UNCHANGED}, [
        (row.label, row.outcome, row.note) for row in report.rows if row.outcome is not gw.Outcome.UNCHANGED
    ]


def test_the_order_of_samples_and_the_batch_do_not_matter() -> None:
    x, y = blobs()
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(1))
    other = gw.mutation_score(net(), (x[order], y[order]), count=36, seed=1, batch_size=32)
    for row, its in zip(standard().rows, other.rows, strict=True):
        assert (row.outcome, row.broken, row.mended) == (its.outcome, its.broken, its.mended)
    assert np.array_equal(standard().kills[:, order], other.kills)


def test_survivors_on_training_data_are_likely_equivalent() -> None:
    report = gw.mutation_score(net(), blobs(), count=36, seed=1, train=blobs(200, 1))
    alone = gw.mutation_score(net(), blobs(200, 1), count=36, seed=1)
    numbers = {row.number for row in report.rows if row.outcome is gw.Outcome.SURVIVED}
    kept = {row.number for row in alone.rows if row.outcome.value in ("survived", "unchanged")}
    assert report.likely_equivalent <= numbers
    assert report.likely_equivalent <= kept | numbers
    assert "survive there too: too close to tell" in str(report)


def test_a_report_comes_back_from_its_file(tmp_path: Path) -> None:
    standard().save(tmp_path / "report.jsonl")
    back = gw.MutationReport.load(tmp_path / "report.jsonl")
    assert back.rows == standard().rows
    assert str(back) == str(standard())
    assert len(back.to_frame()) == 36
    (tmp_path / "broken.jsonl").write_text('{"a": 1}\n')
    with pytest.raises(gw.RecipeError, match="not a report"):
        gw.MutationReport.load(tmp_path / "broken.jsonl")


def test_values_and_data_without_targets_are_judged_by_outputs() -> None:
    x, _ = blobs(60)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))
    spec = gw.Mutants(gw.GaussianNoise(std=1e-6), sites="layer") + gw.Mutants(gw.Zero(rate=0.5), sites="layer")
    report = gw.campaign(model, (x, model(x).detach() + 0.1), spec, count=8, seed=1)
    assert report.criterion.name == "output"
    assert {row.outcome.value for row in report.rows if row.operator == "zero"} == {"killed"}
    assert {row.outcome.value for row in report.rows if row.operator == "gaussian_noise"} == {"survived"}
    drop = report.with_criterion(gw.testing.Drop(points=1e9))
    assert drop.score().killed == 0
    bare = gw.campaign(net(), x, spec, count=4, seed=1, criterion="any")
    assert bare.rows[1].broken == bare.rows[1].changed
    with pytest.raises(gw.SettingError, match="no targets"):
        gw.campaign(net(), x, spec, count=4, seed=1, criterion="mcnemar")


@pytest.mark.slow
def test_processes_give_the_same_report(tmp_path: Path) -> None:
    several = gw.mutation_score(net(), blobs(), count=36, seed=1, executor=gw.Processes(2), store=tmp_path / "a")
    assert several.to_json() == standard().to_json()


def test_a_report_is_a_page_that_needs_nothing_else(tmp_path: Path) -> None:
    standard().with_criterion("any").save(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    for row in standard().with_criterion("any").survivors():
        assert f'<td class="n">{row.number}</td>' in text
    assert "data:image/png" in text
    assert "http" not in text
    assert "<script" not in text


def test_groups_by_bit_are_those_of_the_bits_that_flipped() -> None:
    model, data = net(), blobs(40)
    spec = gw.Mutants((gw.BitFlip(count=1), gw.StuckAt(value=1, count=1), gw.BitFlip(rate=0.1), gw.Zero(count=1)))
    report = gw.campaign(model, data, spec, count=40, criterion="any", seed=1)
    assert gw.MutationReport.from_json(report.to_json()).rows == report.rows
    for row in report.rows:
        changed: set[tuple[str, int]] = set()
        for old, new in zip(model.parameters(), report.mutant(row.number, model).parameters(), strict=True):
            words = (old.detach().view(torch.int32) ^ new.detach().view(torch.int32)).numpy().view(np.uint32)
            changed |= {("float32", bit) for bit in range(32) if (words >> bit & 1).any()}
        assert row.flips == (() if row.operator == "zero" else tuple(sorted(changed))), row
    bits, fields = report.by("bit"), report.by("field")
    single = {str(row.flips[0][1]) for row in report.rows if len(row.flips) == 1}
    assert list(bits) == [*sorted(single, key=int), "none", "several"]
    assert set(fields) == {"exponent", "mantissa", "none", "several"}
    assert sum(score.of for score in bits.values()) == sum(score.of for score in fields.values()) == report.score().of


def test_names_and_lists_of_operators_are_mutants() -> None:
    listed = gw.campaign(net(), blobs(40), [gw.Zero(count=1), gw.SignFlip(count=1)], count=4, criterion="any", seed=1)
    spec = gw.Mutants((gw.Zero(count=1), gw.SignFlip(count=1)))
    assert listed.to_json() == gw.campaign(net(), blobs(40), spec, count=4, criterion="any", seed=1).to_json()
    assert {row.operator for row in gw.campaign(net(), blobs(40), "sign_flip", count=2, seed=1).rows} == {"sign_flip"}


@pytest.mark.parametrize(
    ("given_", "error", "said"),
    [
        ({"shard": 2}, gw.SettingError, r"shard is \(k, n\)"),
        ({"batch_size": 0}, gw.SettingError, "batch_size must be an int of at least 1"),
        ({"store": 3}, gw.StoreError, "expected the path of a folder; received 3"),
        ({"alpha": 7}, gw.SettingError, "alpha: expected a number between 0 and 1"),
        ({"mutants": gw.Zero}, gw.SettingError, "Make one of the class"),
        ({"data": (torch.randn(5, 7), torch.zeros(5, dtype=torch.int64))}, gw.DataError, "cannot take batch 0"),
        ({"data": (blobs(40)[0], blobs(40)[1] + 1)}, gw.DataError, "Give targets from 0 to 3"),
        ({"model": [mlp(), nn.Sequential(nn.Linear(6, 9), nn.Linear(9, 4))]}, gw.SettingError, "one architecture"),
    ],
)
def test_what_does_not_fit_is_said(given_: dict[str, Any], error: type[Exception], said: str) -> None:
    usual = {"model": net(), "data": blobs(40), "mutants": gw.Zero(count=1), "count": 2, "seed": 1}
    with pytest.raises(error, match=said):
        gw.campaign(**{**usual, **given_})


def test_a_report_takes_no_level_or_report_that_is_none() -> None:
    with pytest.raises(gw.SettingError, match="between 0 and 1; received 7"):
        standard().with_criterion("any", alpha=7)
    with pytest.raises(gw.SettingError, match="expected reports; received"):
        gw.MutationReport.merged(["report.jsonl"])  # type: ignore[list-item]
    with pytest.raises(gw.SettingError, match="whether it changes the label"):
        gw.testing.sequential_test([2, 3], threshold=0.1, margin=0.01)
