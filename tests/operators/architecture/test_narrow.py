"""Narrowing: which units go, and what keeps the outputs where something can."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import genewright as gw


def _mlp(**settings: Any) -> tuple[nn.Sequential, torch.Tensor]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 3, **settings)).eval()
    return net, torch.randn(64, 4)


def _images(padding: int, mode: str = "zeros") -> tuple[nn.Sequential, torch.Tensor]:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 4, 3, padding=padding, padding_mode=mode)]
    net = nn.Sequential(*layers).eval()
    with torch.no_grad():
        net[1].weight.uniform_(0.5, 1.5)
        net[1].bias.uniform_(0.2, 1.0)
    return net, torch.randn(2, 3, 9, 9)


def _kill(net: nn.Sequential, *units: int) -> None:
    """Let nothing be written into units: they keep their bias, and are constant."""
    with torch.no_grad():
        net[0].weight[list(units)] = 0


def _change(network: nn.Module, mutant: nn.Module, x: torch.Tensor) -> float:
    with torch.no_grad():
        before, after = (copy.deepcopy(m).double()(x.double()) for m in (network, mutant))
    return float((before - after).abs().max() / before.abs().max())


def _error(network: nn.Module, mutant: nn.Module, x: torch.Tensor) -> float:
    with torch.no_grad():
        return float((network(x) - mutant(x)).square().mean())


def test_constant_units_go_into_the_next_bias() -> None:
    net, x = _mlp()
    _kill(net, 1, 5)
    slim = gw.mutate(net.double(), gw.Narrow("0", units=(1, 5)), seed=1, example=x.double())
    assert slim[0].out_features == 6
    assert _change(net, slim, x) < 1e-9
    assert not torch.equal(slim[2].bias, net[2].bias)
    single = gw.mutate(net.float(), gw.Narrow("0", units=(1, 5)), seed=1, example=x)
    assert _change(net, single, x) < 1e-6


def test_without_a_bias_a_constant_cannot_be_folded_and_the_plan_shows_the_change() -> None:
    net, x = _mlp(bias=False)
    _kill(net, 1)
    plan = gw.plan(net, gw.Narrow("0", units=(1,)), seed=1, example=x)
    assert plan.steps[0].change is not None
    assert plan.steps[0].change > 1e-3


@pytest.mark.parametrize(("padding", "mode", "exact"), [(0, "zeros", True), (1, "reflect", True), (1, "zeros", False)])
def test_constants_of_images_are_folded_where_every_output_sees_them(padding: int, mode: str, exact: bool) -> None:
    net, x = _images(padding, mode)
    _kill(net, 2)
    net, x = net.double(), x.double()
    slim = gw.mutate(net, gw.Narrow("0", units=(2,)), seed=1, example=x)
    assert (_change(net, slim, x) < 1e-9) == exact
    assert (gw.mutate(net, gw.Narrow("0", units=(3,)), seed=1, example=x)[3].bias == net[3].bias).all()


def test_unread_units_and_copies_go_without_a_trace() -> None:
    net, x = _mlp()
    with torch.no_grad():
        net[2].weight[:, 3] = 0
        net[0].weight[6], net[0].bias[6] = net[0].weight[2], net[0].bias[2]
    slim = gw.mutate(net.double(), gw.Narrow("0", units=(3, 6)), seed=1, example=x.double())
    assert _change(net, slim, x) < 1e-15


def test_a_constant_copy_counts_once() -> None:
    net, x = _mlp()
    _kill(net, 1, 5)
    with torch.no_grad():
        net[0].bias[5] = net[0].bias[1]
    slim = gw.mutate(net.double(), gw.Narrow("0", units=(5,)), seed=1, example=x.double())
    assert _change(net, slim, x) < 1e-15
    assert torch.equal(slim[2].bias, net[2].bias)


@pytest.mark.parametrize("kind", ["mlp", "images"])
def test_least_squares_on_real_data_beats_removal_on_data_that_it_has_not_seen(kind: str) -> None:
    net, _ = _mlp() if kind == "mlp" else _images(0)
    generator = torch.Generator().manual_seed(1)
    shape = (200, 4) if kind == "mlp" else (8, 3, 3, 3)
    # Real inputs are correlated: few directions hold nearly all, and images are smooth.
    mix = torch.randn(shape[1], shape[1], generator=generator) * torch.tensor([2.0, 1.0, 0.05, 0.02])[: shape[1]]

    def drawn() -> torch.Tensor:
        data = torch.einsum("oi,ni...->no...", mix, torch.randn(shape, generator=generator))
        return data if kind == "mlp" else nn.functional.interpolate(data, size=(12, 12), mode="bilinear")

    seen, unseen = drawn(), drawn()
    plain, repaired = (
        gw.mutate(net, gw.Narrow("0", num_units=2, repair=repair), seed=1, example=seen)
        for repair in ("none", "least_squares")
    )
    assert _error(net, repaired, unseen) < 0.5 * _error(net, plain, unseen)
    again = gw.replay(gw.recipe(repaired), net, example=seen)
    assert gw.fingerprint(again) == gw.fingerprint(repaired)


def test_least_squares_finds_the_best_columns() -> None:
    net, x = _mlp()
    net, x = net.double(), x.double()
    slim = gw.mutate(net, gw.Narrow("0", units=(0, 4), repair="least_squares"), seed=1, example=x)
    hidden = net[1](net[0](x)).detach()
    kept = torch.cat([hidden[:, [1, 2, 3, 5, 6, 7]], torch.ones(len(x), 1)], 1)
    best = torch.linalg.lstsq(kept, net(x).detach()).solution
    torch.testing.assert_close(slim[2].weight.T, best[:-1], rtol=0, atol=1e-7)
    torch.testing.assert_close(slim[2].bias, best[-1], rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("by", "wanted"),
    [
        ("l1", lambda net: net[0].weight.abs().sum((1, 2, 3))),
        ("l2", lambda net: net[0].weight.square().sum((1, 2, 3))),
        ("batchnorm", lambda net: net[1].weight.abs()),
        (
            "magnitude",
            lambda net: net[0].weight.square().sum((1, 2, 3)) * net[3].weight.square().sum((0, 2, 3)),
        ),
    ],
)
def test_the_least_important_units_go(by: Any, wanted: Any) -> None:
    net, x = _images(0)
    gone = wanted(net).detach().argsort()[:2].sort().values
    left = [unit for unit in range(6) if unit not in gone]
    slim = gw.mutate(net, gw.Narrow("0", num_units=2, by=by), seed=1, example=x)
    assert torch.equal(slim[0].weight, net[0].weight[left])
    heads = gw.RemoveHeads(by=by)
    assert heads.by == by


def test_gains_need_a_norm() -> None:
    net, x = _mlp()
    with pytest.raises(gw.UnsupportedError, match="by='l1'"):
        gw.mutate(net, gw.Narrow("0", by="batchnorm"), seed=1, example=x)


@pytest.mark.parametrize("mask", [[False, True] * 4, np.array([False, True] * 4), torch.tensor([False, True] * 4)])
def test_a_mask_names_the_units_that_go(mask: Any) -> None:
    net, x = _mlp()
    slim = gw.mutate(net, gw.Narrow("0", units=mask), seed=1, example=x)
    assert torch.equal(slim[0].weight, net[0].weight[::2])
    again = gw.replay(gw.recipe(slim), net, example=x)
    assert gw.fingerprint(again) == gw.fingerprint(slim)


def test_masks_that_do_not_fit_are_refused() -> None:
    net, x = _mlp()
    with pytest.raises(gw.SettingError, match="5 entries"):
        gw.mutate(net, gw.Narrow("0", units=[True] * 5), seed=1, example=x)
    with pytest.raises(gw.SettingError, match="at least one"):
        gw.Narrow("0", units=[False, False])
    with pytest.raises(gw.SettingError, match="leaves none"):
        gw.mutate(net, gw.Narrow("0", units=[True] * 8), seed=1, example=x)


def test_widening_again_and_again_and_back_gives_the_first_bytes() -> None:
    net, x = _mlp()
    first = gw.fingerprint(net)
    wide = net
    for seed, init in enumerate(("split", "silent", "split", "pair")):
        wide = gw.mutate(wide, gw.Widen("0", num_units=2, init=init), seed=seed, example=x)
        assert _change(net, wide, x) < 1e-9
    assert wide[0].out_features == 16
    for size in (16, 14, 12, 10):
        wide = gw.mutate(wide, gw.Narrow("0", units=(size - 2, size - 1)), seed=1, example=x)
    assert gw.fingerprint(wide) == first


def test_widths_and_weights_mix_in_one_recipe() -> None:
    net, x = _mlp()
    operators = [
        gw.Widen("0", num_units=3),
        gw.GaussianNoise(std=0.05),
        gw.Widen("0", num_units=1),
        gw.SignFlip(rate=0.1),
    ]
    mutant = gw.mutate(net, operators, seed=7, example=x)
    recipe = gw.recipe(mutant)
    assert [step.operator.name for step in recipe.steps] == ["widen", "gaussian_noise", "widen", "sign_flip"]
    assert mutant[0].out_features == 12
    assert gw.fingerprint(gw.replay(gw.Recipe.from_json(recipe.to_json()), net, example=x)) == recipe.result
