"""SwapUnits: pairs of units change places."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import genewright as gw
from genewright import noise
from tests.operators.oracle import SEED, array, layer, stream


def order(count: int, rate: float) -> list[int]:
    """Return the old unit at each place, from the definition."""
    drawn = noise.permutation(stream("swap_units", f"/{count}"), count)
    places = list(range(count))
    for pair in range(min(math.ceil(rate * count / 2), count // 2)):
        a, b = int(drawn[2 * pair]), int(drawn[2 * pair + 1])
        places[a], places[b] = b, a
    return places


@pytest.mark.parametrize("rate", [1.0, 0.3, 0.01, 0.0])
def test_formula(rate: float) -> None:
    base = layer()
    mutant = gw.mutate(base, gw.SwapUnits(rate=rate), seed=SEED)
    places = order(40, rate)
    assert np.array_equal(array(mutant.weight), array(base.weight)[places])
    assert np.array_equal(array(mutant.bias), array(base.bias)[places])


@given(rate=st.floats(0, 1), seed=st.integers(), rows=st.integers(2, 9))
def test_twice_is_nothing_and_units_stay_whole(rate: float, seed: int, rows: int) -> None:
    base = layer(rows, 3)
    operator = gw.SwapUnits(rate=rate)
    mutant = gw.mutate(base, operator, seed=seed)
    before = sorted([*w, b] for w, b in zip(base.weight.tolist(), base.bias.tolist(), strict=True))
    after = sorted([*w, b] for w, b in zip(mutant.weight.tolist(), mutant.bias.tolist(), strict=True))
    assert before == after
    assert gw.fingerprint(gw.mutate(mutant, operator, seed=seed)) == gw.fingerprint(base)


def test_a_swap_changes_the_function_and_a_following_swap_of_columns_restores_it() -> None:
    base = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)).double()
    x = torch.linspace(-2, 2, 20, dtype=torch.float64).reshape(5, 4)
    mutant = gw.mutate(base, gw.SwapUnits(rate=0.5, where="0.*"), seed=3)
    assert not torch.allclose(mutant(x), base(x))
    places = [int((base[0].weight == row).all(dim=1).nonzero()) for row in mutant[0].weight]
    with torch.no_grad():
        mutant[2].weight.copy_(base[2].weight[:, places])
    torch.testing.assert_close(mutant(x), base(x))


def test_normalisation_layers_and_statistics_stay() -> None:
    base = nn.Sequential(nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6))
    nn.init.normal_(base[1].weight)
    mutant = gw.mutate(base, gw.SwapUnits(rate=1.0), seed=1)
    assert not torch.equal(mutant[0].weight, base[0].weight)
    for name in ("weight", "bias", "running_mean", "running_var"):
        assert torch.equal(getattr(mutant[1], name), getattr(base[1], name))


def test_only_chosen_units_change_places() -> None:
    base = layer()
    mutant = gw.mutate(base, gw.SwapUnits(rate=1.0, where=gw.where(units=[3, 30])), seed=1)
    assert torch.equal(mutant.weight[[3, 30]], base.weight[[30, 3]])
    assert torch.equal(mutant.bias[[3, 30]], base.bias[[30, 3]])
    rest = [u for u in range(40) if u not in (3, 30)]
    assert torch.equal(mutant.weight[rest], base.weight[rest])


def test_a_kernel_moves_alone_when_the_bias_is_not_chosen() -> None:
    base = layer()
    mutant = gw.mutate(base, gw.SwapUnits(rate=1.0, where="weight"), seed=1)
    assert torch.equal(mutant.bias, base.bias)
    assert not torch.equal(mutant.weight, base.weight)


def test_gates_of_a_recurrent_layer_move_in_all_its_tensors() -> None:
    base = nn.LSTM(3, 4)
    mutant = gw.mutate(base, gw.SwapUnits(rate=1.0), seed=1)
    places = [int((base.weight_ih_l0 == row).all(dim=1).nonzero()) for row in mutant.weight_ih_l0]
    assert sorted(places) == list(range(16))
    for name in ("weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
        assert torch.equal(getattr(mutant, name), getattr(base, name)[places])


def test_one_unit_alone_is_refused() -> None:
    with pytest.raises(gw.SelectionError, match="no chosen layer has two units"):
        gw.mutate(nn.Linear(5, 1), gw.SwapUnits(), seed=1)


def test_layers_with_one_unit_are_left_out_beside_others() -> None:
    base = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    mutant = gw.mutate(base, gw.SwapUnits(rate=1.0), seed=1)
    assert not torch.equal(mutant[0].weight, base[0].weight)
    assert torch.equal(mutant[1].weight, base[1].weight)


def swapped(base: nn.Module, mutant: nn.Module) -> set[tuple[str, int]]:
    return {
        (name, int(row))
        for (name, old), new in zip(base.named_parameters(), mutant.parameters(), strict=True)
        if old.dim() == 2
        for row in (old != new).any(dim=1).nonzero()
    }


def test_a_count_of_pairs_is_exact_and_nested() -> None:
    base = nn.Sequential(nn.Linear(3, 7), nn.Linear(7, 4), nn.Linear(4, 1))
    before: set[tuple[str, int]] = set()
    for count in range(1, 6):
        hit = swapped(base, gw.mutate(base, gw.SwapUnits(count=count), seed=2))
        assert len(hit) == 2 * count
        assert before < hit
        before = hit
    with pytest.raises(gw.SettingError, match="at most the 5 pairs"):
        gw.mutate(base, gw.SwapUnits(count=6), seed=2)
    with pytest.raises(gw.SettingError, match="say rate or count"):
        gw.SwapUnits(count=1, rate=0.5)


def test_with_an_example_the_classes_of_a_classifier_stay_unless_asked_for() -> None:
    base = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 4))
    x = torch.randn(5, 4)
    assert {name for name, _ in swapped(base, gw.mutate(base, gw.SwapUnits(rate=1.0), seed=1, example=x))} == {
        "0.weight"
    }
    asked = gw.mutate(base, gw.SwapUnits(rate=1.0, outputs=True), seed=1, example=x)
    assert {name for name, _ in swapped(base, asked)} == {"0.weight", "2.weight"}
    with pytest.raises(gw.SelectionError, match="outputs=True"):
        gw.mutate(base, gw.SwapUnits(where="2"), seed=1, example=x)
