"""`gw.check_operator` on the operators on units."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

import genewright as gw
from genewright.operator import registered
from tests.operators.units.nets import images

DEFAULTS = {name: cls for name, cls in registered().items() if ".operators.units." in cls.__module__}
VARIANTS = {
    "block_units_in": gw.BlockUnits(side="in"),
    "invert_units_count": gw.InvertUnits(count=2),
    "merge_units_near": gw.MergeUnits(threshold=0.3),
    "prune_units_all": gw.PruneUnits(scope="all", fraction=0.3, repair="least_squares"),
    "prune_units_parameters": gw.PruneUnits(target="parameters", by="random", fraction=0.2),
    "recycle_units_near": gw.RecycleUnits(threshold=0.7),
    "split_units_count": gw.SplitUnits(count=2),
}


@pytest.fixture(autouse=True)
def without_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests of this process have imported makes no difference: Keras has tests of its own."""
    monkeypatch.delitem(sys.modules, "keras", raising=False)


# What acts on units of a kind needs a network that has some.
def _copies_and_constants() -> tuple[nn.Module, torch.Tensor]:
    net, x = images()
    with torch.no_grad():
        for tensor in (net[0].weight, net[0].bias, net[1].weight, net[1].bias, net[1].running_mean):
            tensor[5] = tensor[1].clone()
        net[0].weight[2] = 0.0
        net[0].bias[4] = -50.0  # it puts out nothing
        net[1].weight[4] = 1.0
    return net, x


SPECIAL = {"fold_constant_units", "merge_units", "recycle_units"}


@pytest.mark.parametrize("name", DEFAULTS)
def test_every_operator_keeps_every_invariant(name: str) -> None:
    gw.check_operator(DEFAULTS[name], {"special": _copies_and_constants()})


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(DEFAULTS.keys() - SPECIAL))
def test_every_operator_keeps_every_invariant_on_the_built_in_networks(name: str) -> None:
    gw.check_operator(DEFAULTS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_keeps_every_invariant_on_the_built_in_networks(name: str) -> None:
    gw.check_operator(VARIANTS[name])
