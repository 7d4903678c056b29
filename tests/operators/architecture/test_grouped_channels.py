"""Channels before a group norm: num_units counts channels, and whole groups come and go."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import genewright as gw

X = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(1))


def net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 1), nn.GroupNorm(4, 8), nn.ReLU(), nn.Conv2d(8, 2, 1)).eval()


def test_four_channels_more_are_two_groups_more() -> None:
    model = net()
    mutant = gw.mutate(model, gw.Widen("0", num_units=4), seed=1, example=X)
    assert (mutant[0].out_channels, mutant[1].num_groups) == (12, 6)
    assert torch.allclose(mutant(X), model(X), atol=1e-6)
    assert "4 groups of 2. Whole groups come and go" in str(
        gw.plan(model, gw.Widen("0", num_units=4), seed=1, example=X)
    )
    assert gw.mutate(model, gw.Widen("0", factor=1.5), seed=1, example=X)[1].num_groups == 6


def test_the_channels_of_a_group_go_together() -> None:
    model = net()
    slim = gw.mutate(model, gw.Narrow("0", units=(2, 3)), seed=1, example=X)
    assert (slim[0].out_channels, slim[1].num_groups) == (6, 3)
    assert torch.equal(slim[0].weight, model[0].weight[[0, 1, 4, 5, 6, 7]])
    mask = tuple(unit in (2, 3) for unit in range(8))
    assert torch.equal(gw.mutate(model, gw.Narrow("0", units=mask), seed=1, example=X)[0].weight, slim[0].weight)
    assert gw.mutate(model, gw.Narrow("0", num_units=4), seed=1, example=X)[0].out_channels == 4


@pytest.mark.parametrize(
    ("operator", "said"),
    [
        (gw.Widen("0", num_units=3), "num_units=2 or 4"),
        (gw.Narrow("0", num_units=1), "num_units=2;"),
        (gw.Narrow("0", units=(1, 2, 3)), "units 0 to 1 are group 0"),
        (gw.Narrow("0", units=(8,)), "0 to 7"),
        (gw.Narrow("0", units=(True, False)), "writes 8 channels"),
    ],
)
def test_what_is_no_whole_group_is_refused_with_what_is(operator: gw.Operator, said: str) -> None:
    with pytest.raises(gw.SettingError, match=said):
        gw.mutate(net(), operator, seed=1, example=X)


def test_the_channels_inside_every_group_have_a_name_of_their_own() -> None:
    assert gw.mutate(net(), gw.Narrow("0[1]", num_units=1), seed=1, example=X)[0].out_channels == 4
