"""Branches and skips that the seed places again and again: growth is linear, and grafts do not nest."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import genewright as gw
from tests.crosses import thinned

X = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))


def net() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2)).eval()


BOTH = gw.OneOf(operators=(gw.AddBranch(), gw.AddSkip()))


@pytest.mark.parametrize("operator", thinned([BOTH, gw.AddBranch(), gw.AddSkip()], one_in=3), ids=str)
def test_twenty_grafts_grow_the_network_by_twenty(operator: gw.Operator) -> None:
    base = net()
    mutant = gw.mutate(base, [operator] * 20, seed=1, example=X)
    names = [name for name, _ in mutant.named_modules()]
    assert max(name.split(".").count("graft") for name in names) == 1
    largest = 8 * 8 + 8  # weights of the largest layer that a branch copies
    assert sum(p.numel() for p in mutant.parameters()) <= sum(p.numel() for p in base.parameters()) + 20 * (largest + 1)
    assert torch.allclose(mutant(X), base(X), atol=1e-6)


def test_a_branch_is_a_copy_of_the_layer_without_its_branches_and_taps() -> None:
    base = net()
    skipped = gw.mutate(base, [gw.AddBranch("2"), gw.AddSkip("2", "4")], seed=1, example=X)
    mutant = gw.mutate(skipped, gw.AddBranch("2"), seed=2, example=X)
    assert [type(layer.layer) for layer in mutant[2].graft] == [nn.Linear, nn.Linear]
    assert not list(mutant[2].graft[1].layer.children())
    mutant[2].graft[1].gate.data.fill_(1.0)
    assert torch.isfinite(mutant(X)).all()
