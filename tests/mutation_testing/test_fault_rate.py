"""fault_rate: places are drawn once each, the interval is exact, and every fault can be made again."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import genewright as gw
from genewright.mutation_testing.fault_record import Effect
from genewright.mutation_testing.fault_sample import fault_sample_size, looks
from genewright.mutation_testing.finite_interval import finite_interval
from tests.mutation_testing.nets import blobs, trained

COARSE: dict[str, Any] = {"margin": 0.08, "confidence": 0.9, "seed": 1}


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return trained(nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4)), blobs())


def flipped(net: nn.Module, name: str, element: int, bit: int) -> None:
    """Flip a bit by NumPy, which shares no code with the library."""
    words = dict(net.named_parameters())[name].data.numpy().view(np.uint32).reshape(-1)
    words[element] ^= np.uint32(1 << bit)


# How many, and when


def test_sizes_are_those_of_the_formula() -> None:
    """Leveugle et al.: 384 and 9,604 for large populations; 15,375 of 210,240."""
    large = 10**12
    assert fault_sample_size(large, margin=0.05, confidence=0.95) == 385  # 384.15
    assert fault_sample_size(large, margin=0.01, confidence=0.95) == 9_604
    assert fault_sample_size(large, margin=0.01, confidence=0.99) == 16_588
    assert fault_sample_size(210_240, margin=0.01, confidence=0.99) == 15_375
    assert fault_sample_size(5, margin=0.01, confidence=0.99) == 5


@given(st.integers(1, 10**9), st.floats(0.001, 0.4), st.floats(0.5, 0.999))
def test_looks_share_the_error_and_come_in_order(population: int, margin: float, confidence: float) -> None:
    schedule = looks(population, margin=margin, confidence=confidence)
    assert sum(look.alpha for look in schedule) <= 1 - confidence + 1e-12
    faults = [look.faults for look in schedule]
    assert faults == sorted(set(faults))
    assert 1 <= faults[0] <= faults[-1] <= population


@pytest.mark.parametrize("population", [7, 40])
def test_the_interval_covers_for_every_share_of_every_population(population: int) -> None:
    """Enumerated: for each number of failures there is, the probability that the interval holds it."""
    from scipy.stats import hypergeom

    for drawn in (1, 5, population // 2, population):
        found = {k: finite_interval(k, drawn, population, 0.9) for k in range(drawn + 1)}
        for total in range(population + 1):
            held = [k for k, (low, high) in found.items() if low <= total / population <= high]
            assert hypergeom.pmf(held, population, total, drawn).sum() >= 0.9 - 1e-9


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 10_000))
def test_the_interval_holds_what_was_seen_and_is_narrower_than_without_the_population(
    failed: int, fine: int, rest: int
) -> None:
    drawn, population = failed + fine, failed + fine + rest
    if not drawn:
        return
    low, high = finite_interval(failed, drawn, population, 0.95)
    wide = finite_interval(failed, drawn, None, 0.95)
    assert low <= failed / drawn <= high
    assert wide[0] - 1e-9 <= low
    assert high <= wide[1] + 1 / population + 1e-9
    assert rest or low == high


# What is drawn, and what comes of it


def test_faults_are_different_bits_and_their_effects_are_those_of_flips_by_hand() -> None:
    net, data = small(), blobs(40)
    before = gw.fingerprint(net)
    rate = gw.fault_rate(net, data, gw.BitFlip(count=1), **COARSE)
    assert gw.fingerprint(net) == before
    faults = rate.faults
    assert rate.population == 59 * 32
    assert len(np.unique(faults.place)) == len(faults) in rate.looks
    original = net(data[0]).detach()
    for at in range(0, len(faults), 7):
        name, element, bit = rate.tensors[faults.tensor[at]].name, int(faults.element[at]), int(faults.way[at])
        flipped(net, name, element, bit)
        made = net(data[0]).detach()
        flipped(net, name, element, bit)
        changed = int((made.argmax(1) != original.argmax(1)).sum())
        finite = bool(torch.isfinite(made).all())
        effect = Effect(faults.effect[at])
        assert (effect is Effect.NONFINITE) == (not finite)
        if finite:
            assert changed == faults.changed[at]
            assert (effect is Effect.CHANGED) == (changed > 0)
            assert (effect is Effect.MASKED) == torch.equal(made, original)


def test_groups_sum_to_the_whole_and_each_has_its_own_population() -> None:
    rate = gw.fault_rate(small(), blobs(40), gw.BitFlip(count=1), **COARSE)
    for what, number in (("bit", 32), ("field", 3), ("unit", 9), ("tensor", 4), ("layer", 2)):
        groups = rate.by(what)  # type: ignore[arg-type]
        assert len(groups) == number
        assert sum(one.failed for one in groups.values()) == rate.rate.failed
        assert sum(one.of for one in groups.values()) == len(rate.faults)
        assert sum(one.population for one in groups.values()) == rate.population
    assert rate.by("field")["sign"].population == 59
    assert sum(rate.outcomes().values()) == len(rate.faults)
    failed = {effect: number for effect, number in rate.outcomes().items() if effect >= Effect.CHANGED}
    assert sum(failed.values()) == rate.rate.failed
    assert rate.of("nonfinite").failed == failed[Effect.NONFINITE]
    assert rate.dropped(100).failed <= rate.dropped(0).failed


def test_a_unit_has_the_faults_of_its_weights_and_of_its_bias() -> None:
    rate = gw.fault_rate(small(), blobs(20), gw.BitFlip(count=1), **COARSE)
    units = rate.by("unit")
    assert {name: one.population for name, one in units.items()} == {
        **{f"0[{unit}]": 7 * 32 for unit in range(5)},
        **{f"2[{unit}]": 6 * 32 for unit in range(4)},
    }
    hit: list[str] = []
    for tensor, element in zip(rate.faults.tensor.tolist(), rate.faults.element.tolist(), strict=True):
        layer, inputs = rate.tensors[tensor].layer, {"0.weight": 6, "2.weight": 5}.get(rate.tensors[tensor].name, 1)
        hit.append(f"{layer}[{element // inputs}]")
    assert {name: one.of for name, one in units.items()} == {name: hit.count(name) for name in units}


def test_chosen_units_are_the_groups_and_a_convolution_has_its_channels() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 3, 2), nn.Flatten(), nn.Linear(27, 2)).eval()
    chosen = gw.where("0.weight", units=[0, 2])
    rate = gw.fault_rate(net, torch.randn(5, 1, 4, 4), gw.BitFlip(count=1, where=chosen), **COARSE)
    assert {name: one.population for name, one in rate.by("unit").items()} == {"0[0]": 4 * 32, "0[2]": 4 * 32}
    assert set((rate.faults.element // 4).tolist()) == {0, 2}


def test_all_faults_are_drawn_where_the_margin_is_small_and_the_interval_is_a_point() -> None:
    net, data = small(), blobs(30)
    rate = gw.fault_rate(net, data, gw.SignFlip(count=1), margin=0.001, confidence=0.999, seed=1)
    assert len(rate.faults) == rate.population == 59
    assert rate.low == rate.high == rate.share
    wrong = 0
    original = net(data[0]).argmax(1)
    for name, parameter in net.named_parameters():
        for element in range(parameter.numel()):
            flipped(net, name, element, 31)
            wrong += int((net(data[0]).argmax(1) != original).any())
            flipped(net, name, element, 31)
    assert rate.rate.failed == wrong


def test_stuck_bits_do_half_of_what_flips_do_at_the_same_places() -> None:
    settings_: dict[str, Any] = {"margin": 0.2, "confidence": 0.8, "seed": 3, "sequential": False}
    net, data = small(), blobs(30)
    flips = gw.fault_rate(net, data, gw.BitFlip(count=1), **settings_).faults
    ones = gw.fault_rate(net, data, gw.StuckAt(value=1, count=1), **settings_).faults
    zeros = gw.fault_rate(net, data, gw.StuckAt(value=0, count=1), **settings_).faults
    assert np.array_equal(flips.place, ones.place)
    same_one = (ones.effect == flips.effect) & (ones.changed == flips.changed)
    same_zero = (zeros.effect == flips.effect) & (zeros.changed == flips.changed)
    assert (same_one | same_zero).all()
    assert ((ones.effect == Effect.MASKED) | (zeros.effect == Effect.MASKED)).all()


def test_one_seed_one_result_and_another_margin_extends_it() -> None:
    net, data = small(), blobs(30)
    first = gw.fault_rate(net, data, margin=0.1, confidence=0.9, seed=5)
    again = gw.fault_rate(net, data, margin=0.1, confidence=0.9, seed=5, batch_size=7)
    assert np.array_equal(first.faults.place, again.faults.place)
    assert np.array_equal(first.faults.effect >= 2, again.faults.effect >= 2)
    finer = gw.fault_rate(net, data, margin=0.05, confidence=0.9, seed=5)
    assert set(first.faults.place.tolist()) < set(finer.faults.place.tolist())
    other = gw.fault_rate(net, data, margin=0.1, confidence=0.9, seed=6)
    assert not np.array_equal(first.faults.place, other.faults.place)


def test_a_fault_is_made_again_and_its_recipe_replays() -> None:
    net, data = small(), blobs(30)
    for operator in (gw.BitFlip(count=1), gw.GaussianNoise(std=5.0, count=1)):
        rate = gw.fault_rate(net, data, operator, margin=0.15, confidence=0.8, seed=2)
        place = rate.worst(1)[0]
        mutant = rate.mutant(place, net)
        at = rate.faults.place.tolist().index(place)
        assert int((mutant(data[0]).argmax(1) != net(data[0]).argmax(1)).sum()) == rate.faults.changed[at] > 0
        assert gw.fingerprint(gw.replay(gw.recipe(mutant), net)) == gw.fingerprint(mutant)
        assert sum(int((a != b).sum()) for a, b in zip(mutant.parameters(), net.parameters(), strict=True)) == 1


def test_values_count_by_a_tolerance() -> None:
    torch.manual_seed(0)
    net = nn.Linear(3, 1).eval()
    x = torch.randn(20, 3)
    data = x, net(x).detach()
    strict = gw.fault_rate(net, data, margin=0.2, confidence=0.8, seed=1)
    loose = gw.fault_rate(net, data, margin=0.2, confidence=0.8, seed=1, tolerance=0.1, sequential=False)
    assert strict.of("tolerated").failed == 0
    assert loose.of("tolerated").failed > 0


def test_it_is_written_and_read(tmp_path: Path) -> None:
    rate = gw.fault_rate(small(), blobs(30), gw.BitFlip(count=1, bits="exponent"), **COARSE)
    rate.save(tmp_path / "rate.json")
    again = gw.FaultRate.load(tmp_path / "rate.json")
    assert again.to_json() == rate.to_json()
    assert again.by("bit") == rate.by("bit")
    assert again.by("unit") == rate.by("unit")
    assert str(rate.rate) in str(rate)
    assert "<svg" in rate._repr_html_()
    frame = rate.to_frame()
    assert len(frame) == len(rate.faults)
    assert set(frame.bit) <= set(range(23, 31))
    with pytest.raises(gw.RecipeError, match="not a fault rate"):
        gw.FaultRate.from_json("{}")
    with pytest.raises(gw.FileError):
        rate.save(tmp_path / "rate.json")


def test_a_store_goes_on_where_it_was_killed_and_a_finer_margin_extends_it(tmp_path: Path) -> None:
    net, data = small(), blobs(30)
    run = functools.partial(gw.fault_rate, net, data, confidence=0.9, seed=5)
    whole = run(margin=0.1)
    assert run(margin=0.1, store=tmp_path).to_json() == whole.to_json()
    rows = tmp_path / "rows.jsonl"
    lines = rows.read_bytes().splitlines(keepends=True)
    assert len(lines) > 2
    rows.write_bytes(lines[0] + lines[1][:40])  # as a kill in the middle of a line leaves it
    done: list[int] = []
    again = run(margin=0.1, store=tmp_path, progress=lambda now, of: done.append(now))
    assert again.to_json() == whole.to_json()
    assert 0 < done[0] < len(whole.faults)
    assert run(margin=0.05, store=tmp_path).to_json() == run(margin=0.05).to_json()
    size = rows.stat().st_size
    assert run(margin=0.1, store=tmp_path).to_json() == whole.to_json()
    assert rows.stat().st_size == size
    with pytest.raises(gw.StoreError, match="fault differ"):
        gw.fault_rate(net, data, gw.Zero(count=1), confidence=0.9, seed=5, store=tmp_path)
    with pytest.raises(gw.StoreError, match="holds another campaign"):
        gw.mutation_score(net, data, seed=5, count=1, store=tmp_path)
    rows.write_bytes(b'{"number": 3}\n' + lines[0])
    with pytest.raises(gw.StoreError, match="line 1 is damaged"):
        run(margin=0.1, store=tmp_path)


def test_progress_is_a_line_or_a_function(capsys: pytest.CaptureFixture[str]) -> None:
    net, data = small(), blobs(30)
    settings_: dict[str, Any] = {"margin": 0.2, "confidence": 0.8, "seed": 1}
    told: list[tuple[int, int]] = []
    gw.fault_rate(net, data, progress=lambda done, of: told.append((done, of)), **settings_)
    assert told[-1][0] == told[-1][1]
    assert capsys.readouterr().err == ""
    gw.fault_rate(net, data, progress=True, **settings_)
    assert "gw.fault_rate  " in capsys.readouterr().err
    gw.mutation_score(net, data, count=7, seed=1, progress=True)
    assert "gw.campaign  " in capsys.readouterr().err
    gw.mutation_score(net, data, count=7, seed=1, progress=False)
    assert capsys.readouterr().err == ""
    with pytest.raises(gw.SettingError, match="fault_rate: progress is True for a line"):
        gw.fault_rate(net, data, progress="bar", **settings_)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("operator", "said"),
    [
        (gw.BitFlip(), r"BitFlip\(..., count=1\); received count=None"),
        (gw.BitFlip(count=2), "received count=2"),
        (gw.InvertUnits(count=1), "changes elements one by one"),
    ],
)
def test_more_than_one_fault_is_refused(operator: Any, said: str) -> None:
    with pytest.raises(gw.SettingError, match=said):
        gw.fault_rate(small(), blobs(30), operator, seed=1)


@pytest.mark.parametrize("given_", [{"margin": 0}, {"margin": 0.6}, {"confidence": 1.0}, {"confidence": "0.9"}])
def test_settings_are_held_to_their_ranges(given_: dict[str, Any]) -> None:
    with pytest.raises(gw.SettingError, match="expected a number between 0 and"):
        gw.fault_rate(small(), blobs(30), seed=1, **given_)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 59 * 32 - 1))
def test_a_place_is_one_bit(place: int) -> None:
    net = small()
    mutant = gw.mutate(net, gw.FaultAt(operator=gw.BitFlip(), place=place), seed=1)
    words = [
        (a.detach().view(torch.int32) ^ b.detach().view(torch.int32)).numpy().view(np.uint32)
        for a, b in zip(mutant.parameters(), net.parameters(), strict=True)
    ]
    assert sum(int(np.bitwise_count(each).sum()) for each in words) == 1


def test_there_is_no_place_beyond_the_last() -> None:
    with pytest.raises(gw.SettingError, match="1,888 places in this network, numbered from 0; received place=1,888"):
        gw.mutate(small(), gw.FaultAt(operator=gw.BitFlip(), place=59 * 32), seed=1)
    with pytest.raises(gw.SettingError, match="received SwapUnits"):
        gw.FaultAt(operator=gw.SwapUnits())
