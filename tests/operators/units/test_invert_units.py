"""InvertUnits: what the activation function receives changes its sign, to the bit."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw
from tests.operators.units.nets import images, mlp, moved


@contextmanager
def received(module: nn.Module) -> Iterator[list[torch.Tensor]]:
    """Collect what a module is given."""
    seen: list[torch.Tensor] = []
    handle = module.register_forward_pre_hook(lambda _, given: seen.append(given[0].clone()))
    yield seen
    handle.remove()


def pre_activations(net: nn.Module, place: int, x: torch.Tensor) -> torch.Tensor:
    with received(net[place]) as seen:  # type: ignore[index]
        net(x)
    return seen[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_linear_units_are_negated_to_the_bit_and_others_stay(dtype: torch.dtype) -> None:
    net, x = mlp(nn.Sigmoid())
    net, x = net.to(dtype), x.to(dtype)
    mutant = gw.mutate(net, gw.InvertUnits(where=gw.where("0", units={"0": [2, 6]}), rate=1.0), seed=1)
    old, new = pre_activations(net, 1, x), pre_activations(mutant, 1, x)
    signs = torch.ones(8, dtype=dtype)
    signs[[2, 6]] = -1
    assert torch.equal(new, old * signs)


def test_behind_a_norm_its_gain_and_shift_are_negated() -> None:
    net, x = images()
    mutant = gw.mutate(net, gw.InvertUnits(where=gw.where("0", units={"0": [1, 4]}), rate=1.0), seed=1, example=x)
    signs = torch.ones(6, dtype=torch.float64)
    signs[[1, 4]] = -1
    assert torch.equal(pre_activations(mutant, 2, x), pre_activations(net, 2, x) * signs[:, None, None])
    assert torch.equal(mutant[0].weight, net[0].weight)
    assert torch.equal(mutant[1].running_mean, net[1].running_mean)
    second = gw.mutate(net, gw.InvertUnits(where=gw.where("3", units={"3": [0]}), rate=1.0), seed=1, example=x)
    assert torch.equal(pre_activations(second, 4, x)[:, 0], -pre_activations(net, 4, x)[:, 0])


class _Permuted(nn.Module):
    """A convolution whose channels are moved to the end before the norm, with dropout between."""

    def __init__(self, norm: nn.Module, then: Any = None) -> None:
        super().__init__()
        self.conv, self.drop, self.norm, self.then = nn.Conv2d(3, 6, 3), nn.Dropout(0.5), norm, then
        self.act, self.head = nn.GELU(), nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = self.drop(self.conv(x)).permute(0, 2, 3, 1)
        z = z * 2 if self.then else z
        return self.head(self.act(self.norm(z)).mean((1, 2)))


def test_a_norm_is_found_through_dropout_and_moved_axes() -> None:
    net, x = _Permuted(nn.LayerNorm(6)).eval(), torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        net.norm.bias.uniform_()
    chosen = gw.where("conv", units={"conv": [3]})
    mutant = gw.mutate(net, gw.InvertUnits(where=chosen, rate=1.0), seed=1, example=x)
    seen = []
    for model in (net, mutant):
        with received(model.act) as given:
            model(x)
        seen.append(given[0])
    assert torch.equal(seen[1][..., 3], -seen[0][..., 3])
    assert torch.equal(seen[1][..., :3], seen[0][..., :3])


def test_a_norm_further_away_or_without_gain_is_refused() -> None:
    x = torch.randn(2, 3, 8, 8)
    with pytest.raises(gw.UnsupportedError, match="does not stand directly behind it"):
        gw.mutate(_Permuted(nn.LayerNorm(6), then=True), gw.InvertUnits(where="conv"), seed=1, example=x)
    bare = _Permuted(nn.LayerNorm(6, elementwise_affine=False))
    with pytest.raises(gw.UnsupportedError, match="no gain"):
        gw.mutate(bare, gw.InvertUnits(where="conv"), seed=1, example=x)
    with pytest.raises(gw.ExampleError):
        gw.mutate(_Permuted(nn.LayerNorm(6)), gw.InvertUnits(), seed=1)
    frozen = _Permuted(nn.LayerNorm(6))
    frozen.norm.bias.requires_grad_(False)
    with pytest.raises(gw.UnsupportedError, match="frozen"):
        gw.mutate(frozen, gw.InvertUnits(where="conv"), seed=1, example=x)


def test_a_frozen_bias_and_made_kernels_are_refused() -> None:
    net, _ = mlp(nn.ReLU())
    with pytest.raises(gw.UnsupportedError, match="bias"):
        gw.mutate(net, gw.InvertUnits(where="*.weight"), seed=1)
    spectral = nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(4, 3)))
    with pytest.raises(gw.UnsupportedError, match="made from"):
        gw.mutate(spectral, gw.InvertUnits(), seed=1)


@pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU, nn.RNN])
def test_every_gate_of_a_recurrent_layer_is_inverted_in_all_its_tensors(cell: Any) -> None:
    net = cell(3, 4)
    mutant = gw.mutate(net, gw.InvertUnits(rate=1.0), seed=1)
    assert all(torch.equal(new, -old) for old, new in zip(net.parameters(), mutant.parameters(), strict=True))


def test_twice_is_nothing_counts_are_exact_and_nested() -> None:
    net, x = images()
    before: set[tuple[str, int]] = set()
    for count in range(1, 8):
        operator = gw.InvertUnits(count=count, where="!0.*")
        mutant = gw.mutate(net, operator, seed=9, example=x)
        assert gw.fingerprint(gw.mutate(copy.deepcopy(mutant), operator, seed=9, example=x)) == gw.fingerprint(net)
        hit = moved(net, mutant, axis=0)
        assert len(hit) == count
        assert before < hit
        before = hit
