"""BlockUnits: nothing of a unit reaches what follows, or nothing reaches the unit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import genewright as gw
from tests.operators.units.nets import images, mlp, moved


def test_outputs_do_not_depend_on_a_blocked_unit_and_equal_those_without_it() -> None:
    net, x = mlp(nn.GELU())
    mutant = gw.mutate(net, gw.BlockUnits(where=gw.where(units={"0": [1, 5]}), rate=1.0), seed=1, example=x)
    before = mutant(x)
    with torch.no_grad():
        mutant[0].weight[[1, 5]] += 3.0
        mutant[0].bias[[1, 5]] -= 2.0
    assert torch.equal(mutant(x), before)
    slim = gw.mutate(net, gw.Narrow("0", units=(1, 5)), seed=1, example=x)
    torch.testing.assert_close(slim(x), before, rtol=1e-9, atol=1e-9)


def test_convolutions_are_blocked_through_norms_and_flattening() -> None:
    net, x = images()
    mutant = gw.mutate(net, gw.BlockUnits(where=gw.where("3", units={"3": [2]}), rate=1.0), seed=1, example=x)
    before = mutant(x)
    with torch.no_grad():
        mutant[3].weight[2] += 1.0
    assert torch.equal(mutant(x), before)


@pytest.mark.parametrize(("activation", "equal"), [(nn.ReLU(), True), (nn.Tanh(), True), (nn.Sigmoid(), False)])
def test_the_sides_agree_where_the_activation_of_zero_is_zero(activation: nn.Module, equal: bool) -> None:
    net, x = mlp(activation)
    chosen = gw.where("0.*", units={"0": [0, 3]})
    out = gw.mutate(net, gw.BlockUnits(where=chosen, rate=1.0), seed=1, example=x)
    into = gw.mutate(net, gw.BlockUnits(side="in", where=chosen, rate=1.0), seed=1)
    assert not into[0].weight[[0, 3]].any()
    assert not into[0].bias[[0, 3]].any()
    assert torch.allclose(out(x), into(x), rtol=1e-9, atol=1e-12) == equal


@pytest.mark.parametrize("side", ["out", "in"])
def test_exactly_so_many_and_nested(side: str) -> None:
    net, x = images()
    before: set[tuple[str, int]] = set()
    for count in range(1, 10):
        mutant = gw.mutate(net, gw.BlockUnits(side=side, count=count), seed=4, example=x)  # type: ignore[arg-type]
        lost = moved(net, mutant, axis=1 if side == "out" else 0)
        assert before < lost
        if side == "in":
            assert len(lost) == count
        before = lost


def test_a_rate_takes_a_share_of_every_layer() -> None:
    net, _ = mlp(nn.ReLU())
    mutant = gw.mutate(net, gw.BlockUnits(side="in", rate=0.26), seed=1)
    assert [int((layer.weight == 0).all(dim=1).sum()) for layer in (mutant[0], mutant[2])] == [3, 1]


def test_a_replay_needs_no_example() -> None:
    net, x = mlp(nn.ReLU())
    mutant = gw.mutate(net, gw.BlockUnits(count=2), seed=1, example=x)
    assert gw.fingerprint(gw.replay(gw.recipe(mutant), net)) == gw.fingerprint(mutant)


def test_refusals() -> None:
    net, x = mlp(nn.ReLU())
    with pytest.raises(gw.ExampleError):
        gw.mutate(net, gw.BlockUnits(), seed=1)
    with pytest.raises(gw.SettingError, match="at most the 8 units"):
        gw.mutate(net, gw.BlockUnits(count=9), seed=1, example=x)
    with pytest.raises(gw.SelectionError, match="hidden units"):
        gw.mutate(net, gw.BlockUnits(where="2"), seed=1, example=x)
    net[2].weight.requires_grad_(False)
    with pytest.raises(gw.UnsupportedError, match="frozen"):
        gw.mutate(net, gw.BlockUnits(), seed=1, example=x)
    assert np.isfinite(net(x).detach().numpy()).all()
