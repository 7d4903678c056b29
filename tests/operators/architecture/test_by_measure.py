"""Operators that take measures of neurons by name: taken on the example, and resolved in the recipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

import genewright as gw
from genewright.neurons.registry import measures_for_pruning
from tests.crosses import thinned
from tests.neurons.nets import convolutions, tokens


def _narrowed(model: Any) -> torch.Tensor:
    return model.second.weight


def _masked(model: Any) -> torch.Tensor:
    rows = model.second.weight
    assert rows.shape[0] == 6
    assert bool((model.second.bias != 0).all())  # `where` chooses kernels by default
    return rows[rows.flatten(1).any(1)]


BY_UNITS: dict[str, tuple[Callable[[str], gw.Operator], Callable[[Any], torch.Tensor]]] = {
    "Narrow": (lambda by: gw.Narrow("second", num_units=2, by=by), _narrowed),
    "PruneUnits": (lambda by: gw.PruneUnits(where="second.*", fraction=1 / 3, by=by), _narrowed),
    "PruneUnits over all": (lambda by: gw.PruneUnits(where="second.*", fraction=1 / 3, by=by, scope="all"), _narrowed),
    "MaskSmallest": (lambda by: gw.MaskSmallest(1 / 3, where="second.weight", by=by), _masked),
    "MaskSmallest over all": (lambda by: gw.MaskSmallest(1 / 3, where="second.weight", by=by, scope="all"), _masked),
}


@pytest.mark.parametrize("by", measures_for_pruning())
@pytest.mark.parametrize("label", BY_UNITS)
def test_the_units_that_go_are_those_that_the_measure_spares(label: str, by: str) -> None:
    make, left = BY_UNITS[label]
    net, (x, _) = convolutions()
    mutant = gw.mutate(net, make(by), seed=7, example=x)
    values = gw.neurons.measure(net, x, measures=by, layers="second", seed=7)[by]
    assert torch.equal(left(mutant), net.get_submodule("second").weight[_kept(by, values, 2)])
    again = gw.replay(gw.recipe(mutant), net)  # without the example
    assert gw.fingerprint(again) == gw.fingerprint(mutant)
    assert gw.recipe(mutant).to_json() == gw.Recipe.from_json(gw.recipe(mutant).to_json()).to_json()


@pytest.mark.parametrize("by", thinned(measures_for_pruning(), one_in=3))
def test_the_heads_that_go_are_those_that_the_measure_spares(by: str) -> None:
    net, (x, _) = tokens()
    table = gw.neurons.measure(net, x, measures=by, seed=1)
    heads = next(layer for layer in table.layers if layer.kind == "heads")
    values = table.filter(table.layer == heads.name)[gw.neurons.all_measures()[by].columns[0]]
    if np.isnan(values).any():
        with pytest.raises(gw.UnsupportedError, match=f"by='{by}'.*says nothing"):
            gw.mutate(net, gw.RemoveHeads("qkv", by=by), seed=1, example=x)
        return
    gone = tuple(sorted(set(range(4)) - set(_kept(by, values, 1))))
    mutant = gw.mutate(net, gw.RemoveHeads("qkv", by=by), seed=1, example=x)
    assert gw.fingerprint(mutant) == gw.fingerprint(
        gw.mutate(net, gw.RemoveHeads("qkv", heads=gone), seed=1, example=x)
    )


def _kept(by: str, values: NDArray[np.float64], gone: int) -> list[int]:
    sign = -1 if gw.neurons.all_measures()[by].spare == "high" else 1
    return sorted(np.argsort(values * sign, kind="stable")[gone:].tolist())


def test_a_mask_of_units_takes_their_biases_where_they_are_chosen() -> None:
    net, (x, _) = convolutions()
    dead = gw.mutate(net, gw.MaskSmallest(0.5, where=("first.*", "second.*"), by="dormancy"), seed=1, example=x)
    gone = ~dead.second.weight.flatten(1).any(1)
    assert int(gone.sum()) == 3
    assert torch.equal(dead.second.bias == 0, gone)
    assert torch.equal(dead.third.weight, net.get_submodule("third").weight)


def test_dead_units_go_first_and_nothing_changes() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)).double()
    with torch.no_grad():
        net[0].bias[[1, 6]] = -100.0
    x = torch.randn(30, 4, dtype=torch.float64)
    slim = gw.mutate(net, gw.Narrow("0", num_units=2, by="active_fraction"), seed=1, example=x)
    torch.testing.assert_close(slim(x), net(x))


def test_a_table_says_which_units_go_and_the_recipe_holds_them() -> None:
    net, (x, y) = convolutions()
    table = gw.neurons.measure(net, (x, y), measures="taylor", loss="cross_entropy")
    gone = table.filter("layer == 'second'").top(3, by="taylor", largest=False).mask("second")["second"]
    slim = gw.mutate(net, gw.Narrow("second", units=tuple(gone.tolist())), seed=1, example=x)
    assert torch.equal(slim.second.weight, net.get_submodule("second").weight[~gone])


def test_measures_that_need_more_than_the_example_are_refused_by_name() -> None:
    net, _ = convolutions()
    for by in ("taylor", "class_selectivity", "duplicates", "dormant"):
        for cls in (gw.Narrow, gw.RemoveHeads, gw.PruneUnits, gw.MaskSmallest):
            with pytest.raises(gw.SettingError, match="by"):
                cls(by=by)
    for operator in (gw.Narrow("second", by="dormancy"), gw.MaskSmallest(by="dormancy"), gw.PruneUnits(by="dormancy")):
        with pytest.raises(gw.ExampleError):
            gw.mutate(net, operator, seed=1)
    same = torch.zeros(2, 3, 6, 6, dtype=torch.float64)
    assert gw.mutate(net, gw.Narrow("second", by="dormancy"), seed=1, example=same).second.out_channels == 4
