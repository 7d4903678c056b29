"""Attention heads of another size: scores stay, wherever their scale comes from."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import nn

import genewright as gw


class Attention(nn.Module):
    """Attention in one of the ways in which people write it; `how` says where the scale comes from, and the layout."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.heads, self.size = 2, 4
        self.scale = 4**-0.5
        self.inp = nn.Linear(6, 8)
        if "apart" in how:
            self.q, self.k, self.v = (nn.Linear(8, 8) for _ in range(3))
        else:
            self.qkv = nn.Linear(8, 24)
        self.out = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.inp(x)
        b, n, _ = x.shape
        if "apart" in self.how:
            q, k, v = (f(x).view(b, n, -1, self.size).transpose(1, 2) for f in (self.q, self.k, self.v))
        elif "heads first" in self.how:
            mixed = self.qkv(x).view(b, n, self.heads, 3, self.size)
            q, k, v = mixed.permute(3, 0, 2, 1, 4).unbind(0)
        else:
            mixed = self.qkv(x).reshape(b, n, 3, self.heads, self.size)
            q, k, v = mixed.permute(2, 0, 3, 1, 4).unbind(0)
        if "by hand" in self.how:
            y = (q @ k.transpose(-1, -2) / self.size**0.5).softmax(-1) @ v
        elif "fixed" in self.how:
            y = (q @ k.transpose(-1, -2) * self.scale).softmax(-1) @ v
        else:
            y = F.scaled_dot_product_attention(q, k, v)
        return self.out(y.transpose(1, 2).reshape(b, n, -1))


HOWS = ["apart", "apart, by hand", "apart, fixed", "fused", "fused, by hand", "fused, fixed", "fused, heads first"]


def _made(how: str, dtype: torch.dtype = torch.float32) -> tuple[Any, torch.Tensor, str]:
    torch.manual_seed(0)
    model, x = Attention(how).to(dtype).eval(), torch.randn(2, 5, 6, dtype=dtype)
    name = next(knob.name for knob in gw.knobs(model, x) if knob.kind == "head size")
    return model, x, name


def _change(model: nn.Module, mutant: nn.Module, x: torch.Tensor) -> float:
    with torch.no_grad():
        before, after = (copy.deepcopy(m).double()(x.double()) for m in (model, mutant))
    return float((before - after).abs().max() / before.abs().max())


@pytest.mark.parametrize("how", HOWS)
def test_larger_heads_keep_the_outputs(how: str) -> None:
    model, x, name = _made(how, torch.float64)
    wide = gw.mutate(model, gw.Widen(layer=name, num_units=3), seed=1, example=x)
    assert wide.size == 7
    assert wide.out.in_features == 14
    assert _change(model, wide, x) < 1e-14


@pytest.mark.parametrize("how", HOWS)
def test_four_times_the_size_is_exact_in_float32_and_other_sizes_round(how: str) -> None:
    model, x, name = _made(how)
    assert _change(model, gw.mutate(model, gw.Widen(layer=name, factor=4.0), seed=1, example=x), x) < 1e-14
    change = _change(model, gw.mutate(model, gw.Widen(layer=name, num_units=3), seed=1, example=x), x)
    assert change < 1e-14 if "fixed" in how else 1e-14 < change < 1e-6


@pytest.mark.parametrize("how", HOWS)
def test_the_new_units_learn_and_narrowing_takes_them_back(how: str) -> None:
    model, x, name = _made(how)
    wide = gw.mutate(model, gw.Widen(layer=name, factor=4.0), seed=1, example=x)
    optimizer = torch.optim.SGD(wide.parameters(), lr=0.5)
    trained = copy.deepcopy(wide)
    optimizer = torch.optim.SGD(trained.parameters(), lr=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        trained(x).square().sum().backward()
        optimizer.step()
    rows = trained.q.weight - wide.q.weight if "apart" in how else trained.qkv.weight - wide.qkv.weight
    assert int((rows.detach().abs().sum(1) > 0).sum()) == len(rows)
    back = gw.mutate(wide, gw.Narrow(layer=name, units=range(4, 16)), seed=1, example=x)
    assert gw.fingerprint(back) == gw.fingerprint(model)
    assert back.size == 4


def test_a_pattern_widens_all_and_a_recipe_replays() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(Attention("apart"), nn.Linear(3, 6), Attention("apart")).eval()
    x = torch.randn(2, 5, 6)
    name = next(knob.name for knob in gw.knobs(model, x) if knob.kind == "head size")
    wide = gw.mutate(model, gw.Widen(layer=name.replace("0", "*", 1), num_units=2), seed=1, example=x)
    assert (wide[0].size, wide[2].size) == (6, 6)
    again = gw.replay(gw.recipe(wide), model, example=x)
    assert gw.fingerprint(again) == gw.fingerprint(wide)


def test_what_heads_cannot_be_filled_with_is_refused() -> None:
    model, x, name = _made("apart")
    for settings in ({"init": "pair"}, {"placement": "both"}):
        with pytest.raises(gw.UnsupportedError, match=name.replace("[", r"\[")):
            gw.mutate(model, gw.Widen(layer=name, num_units=2, **settings), seed=1, example=x)
