"""Narrow and RemoveHeads by measures of neurons: taken on the example, and resolved in the recipe."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import genewright as gw
from genewright.neurons.registry import measures_for_pruning
from tests.neurons.nets import convolutions, tokens


@pytest.mark.parametrize("by", measures_for_pruning())
def test_the_units_that_go_are_those_that_the_measure_spares(by: str) -> None:
    net, (x, _) = convolutions()
    mutant = gw.mutate(net, gw.Narrow("second", num_units=2, by=by), seed=7, example=x)
    values = gw.neurons.measure(net, x, measures=by, layers="second", seed=7)[by]
    order = np.argsort(values * (-1 if gw.neurons.all_measures()[by].spare == "high" else 1), kind="stable")
    kept = sorted(order[2:])
    assert torch.equal(mutant.second.weight, net.get_submodule("second").weight[kept])
    again = gw.replay(gw.recipe(mutant), net)  # without the example
    assert gw.fingerprint(again) == gw.fingerprint(mutant)
    assert gw.recipe(mutant).to_json() == gw.Recipe.from_json(gw.recipe(mutant).to_json()).to_json()


def test_dead_units_go_first_and_nothing_changes() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)).double()
    with torch.no_grad():
        net[0].bias[[1, 6]] = -100.0
    x = torch.randn(30, 4, dtype=torch.float64)
    slim = gw.mutate(net, gw.Narrow("0", num_units=2, by="active_fraction"), seed=1, example=x)
    torch.testing.assert_close(slim(x), net(x))


def test_heads_go_by_what_they_put_out() -> None:
    net, (x, _) = tokens()
    table = gw.neurons.measure(net, x, measures="dormancy")
    heads = next(layer for layer in table.layers if layer.kind == "heads")
    lowest = int(table.filter(table.layer == heads.name).top(1, by="dormancy", largest=False).unit[0])
    mutant = gw.mutate(net, gw.RemoveHeads("qkv", by="dormancy"), seed=1, example=x)
    named = gw.mutate(net, gw.RemoveHeads("qkv", heads=(lowest,)), seed=1, example=x)
    assert gw.fingerprint(mutant) == gw.fingerprint(named)


def test_a_table_says_which_units_go_and_the_recipe_holds_them() -> None:
    net, (x, y) = convolutions()
    table = gw.neurons.measure(net, (x, y), measures="taylor", loss="cross_entropy")
    gone = table.filter("layer == 'second'").top(3, by="taylor", largest=False).mask("second")["second"]
    slim = gw.mutate(net, gw.Narrow("second", units=tuple(gone.tolist())), seed=1, example=x)
    assert torch.equal(slim.second.weight, net.get_submodule("second").weight[~gone])


def test_measures_that_need_more_than_the_example_are_refused_by_name() -> None:
    net, _ = convolutions()
    for by in ("taylor", "class_selectivity", "duplicates", "dormant"):
        with pytest.raises(gw.SettingError, match="by"):
            gw.Narrow("second", by=by)
    with pytest.raises(gw.ExampleError):
        gw.mutate(net, gw.Narrow("second", by="dormancy"), seed=1)
    same = torch.zeros(2, 3, 6, 6, dtype=torch.float64)
    assert gw.mutate(net, gw.Narrow("second", by="dormancy"), seed=1, example=same).second.out_channels == 4
