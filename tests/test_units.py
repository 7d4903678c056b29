"""What a unit is: a cell, a head, a row; the same for where, Zero, masks, neurons, knobs and Narrow."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import weight_norm as old_weight_norm
from torch.nn.utils.parametrizations import weight_norm

import genewright as gw


class Tagger(nn.Module):
    def __init__(self, cells: nn.Module) -> None:
        super().__init__()
        self.cells, self.head = cells, nn.Linear(5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.cells(x)[0])


X = torch.randn(3, 6, 4, generator=torch.Generator().manual_seed(1))


def silenced(model: Any, layer: str, units: Any) -> Any:
    return gw.mutate(model, gw.Zero(rate=1.0, where=gw.where(units={layer: units})), seed=1)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("dressed", [False, True], ids=["plain", "weight_norm"])
def test_a_silenced_cell_is_silent_in_every_gate(kind: Any, *, dressed: bool) -> None:
    model = Tagger(kind(4, 5, batch_first=True)).eval()
    if dressed:
        weight_norm(model.cells, "weight_hh_l0")
        weight_norm(model.cells, "weight_ih_l0")
    states = silenced(model, "cells", [2]).cells(X)[0]
    assert torch.isfinite(states).all()
    assert not states[..., 2].any()
    assert (states[..., [0, 1, 3, 4]] != 0).all()


def test_the_same_cell_for_where_knobs_narrow_and_neurons() -> None:
    model = Tagger(nn.LSTM(4, 5, batch_first=True)).eval()
    assert gw.knobs(model, X)["cells"].size == 5
    table = gw.neurons.measure(model, X)
    mask = table.filter((table.layer == "cells") & (table["unit"] == 2)).mask()
    assert mask["cells"].tolist() == [False, False, True, False, False]
    dead = silenced(model, "cells", mask["cells"])
    slim = gw.mutate(model, gw.Narrow("cells", units=tuple(mask["cells"].tolist())), seed=1, example=X)
    assert torch.allclose(slim(X), dead(X), atol=1e-6)


def test_cells_of_a_projected_layer_are_those_of_its_state() -> None:
    model = nn.LSTM(4, 5, proj_size=3, batch_first=True)
    mutant = silenced(model, "", [4])
    assert not mutant.weight_ih_l0[[4, 9, 14, 19]].any()
    assert torch.equal(mutant.weight_hr_l0, model.weight_hr_l0)


@pytest.mark.parametrize("units", [[5], [True] * 20])
def test_a_row_of_one_gate_is_no_unit(units: list[int] | list[bool]) -> None:
    with pytest.raises(gw.SelectionError, match="has 5 cells"):
        silenced(Tagger(nn.LSTM(4, 5)), "cells", units)


def test_a_file_knows_the_same_cells(tmp_path: Any) -> None:
    model = Tagger(nn.GRU(4, 5, batch_first=True))
    path = tmp_path / "net.safetensors"
    gw.save(model, path)
    mutant = gw.mutate(gw.read_checkpoint(path), gw.Zero(rate=1.0, where=gw.where(units={"cells": [3]})), seed=1)
    gw.save(mutant, tmp_path / "out.safetensors")
    loaded = gw.load(lambda: Tagger(nn.GRU(4, 5, batch_first=True)), tmp_path / "out.safetensors")
    assert not loaded.cells(X)[0][..., 3].any()


@pytest.mark.parametrize("old", [False, True], ids=["parametrization", "hook"])
@pytest.mark.parametrize("kind", [nn.Linear, nn.Conv1d])
def test_a_unit_under_weight_norm_is_silenced_by_its_gain(kind: Any, *, old: bool) -> None:
    layer = nn.Linear(4, 5, bias=False) if kind is nn.Linear else nn.Conv1d(4, 5, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch deprecates its old weight_norm
        model = nn.Sequential((old_weight_norm if old else weight_norm)(layer))
    x = X if isinstance(layer, nn.Linear) else X.transpose(1, 2)
    before, after = model(x), silenced(model, "0", [2])(x)
    axis = 2 if isinstance(layer, nn.Linear) else 1
    assert not after.select(axis, 2).any()
    others = torch.tensor([0, 1, 3, 4])
    assert torch.equal(after.index_select(axis, others), before.index_select(axis, others))


def test_columns_of_equal_length_are_no_units() -> None:
    model = nn.Sequential(weight_norm(nn.Linear(4, 5), dim=1))
    after = silenced(model, "0", [2])(X)
    assert torch.isfinite(after).all()
    assert not after[..., 2].any()


def test_directions_alone_are_refused() -> None:
    model = nn.Sequential(weight_norm(nn.Linear(4, 5)))
    with pytest.raises(gw.SelectionError, match="where='0'"):
        gw.mutate(model, gw.Zero(rate=1.0, where="0.parametrizations.weight.original1"), seed=1)


class Attentive(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.attention(x, x, x, need_weights=False)[0]


def test_a_head_is_the_unit_of_an_attention() -> None:
    model = Attentive().eval()
    table = gw.neurons.measure(model, X)
    mask = table.filter((table.layer == "attention") & (table["unit"] == 1)).mask()
    assert {name: one.tolist() for name, one in mask.items()} == {"attention": [False, True]}
    dead = gw.mutate(model, gw.Zero(rate=1.0, where=gw.where(units=mask)), seed=1)
    changed = (dead.attention.in_proj_weight == 0).all(dim=1).nonzero().flatten().tolist()
    assert changed == [2, 3, 6, 7, 10, 11]
    assert torch.equal(dead.attention.out_proj.weight, model.attention.out_proj.weight)


def test_a_row_is_the_unit_of_an_embedding() -> None:
    model = nn.Sequential(nn.Embedding(6, 3), nn.Linear(3, 2))
    table = gw.neurons.measure(model, torch.tensor([[0, 1, 5]]))
    mask = table.filter((table.layer == "0") & (table["unit"] == 5)).mask()
    dead = gw.mutate(model, gw.Zero(rate=1.0, where=gw.where(units=mask)), seed=1)
    assert not dead[0].weight[5].any()
    assert torch.equal(dead[0].weight[:5], model[0].weight[:5])
    drawn = gw.mutate(model, gw.GaussianNoise(std=1.0, where=gw.where(units={"0": [4]})), seed=1)
    assert np.flatnonzero((drawn[0].weight != model[0].weight).any(1).numpy()).tolist() == [4]


def _silent(net: nn.Module, x: torch.Tensor) -> list[int]:
    mutant = gw.mutate(net, gw.Zero(1.0, where=gw.where(units=[2])), seed=1)
    return (mutant(x).flatten(2).abs().amax((0, 2)) == 0).nonzero().flatten().tolist()


def test_a_channel_of_a_transposed_convolution_by_depth() -> None:
    assert _silent(nn.ConvTranspose2d(4, 4, 3, groups=4), torch.randn(2, 4, 5, 5)) == [2]


def test_where_no_axis_is_that_of_the_units_they_are_refused() -> None:
    chosen = gw.Zero(1.0, where=gw.where(units=[2]))
    with pytest.raises(gw.SelectionError, match=r"a transposed convolution of 2 groups, and no axis of its kernel is"):
        gw.mutate(nn.ConvTranspose2d(4, 8, 3, groups=2), chosen, seed=1)
    net = nn.Sequential(nn.utils.parametrizations.orthogonal(nn.Linear(4, 6)), nn.Linear(6, 5))
    with pytest.raises(gw.SelectionError, match=r"is parametrized \(Orthogonal\), which may mix its units"):
        gw.mutate(net, gw.Zero(1.0, where=gw.where(units={"0": [2]})), seed=1)
    mutant = gw.mutate(net, gw.Zero(1.0, where=gw.where(units={"1": [2]})), seed=1)
    assert not mutant[1].weight[2].any()
    spectral = nn.utils.parametrizations.spectral_norm(nn.Linear(4, 6))
    assert not gw.mutate(spectral, chosen, seed=1)(torch.randn(3, 4))[:, 2].any()


def test_the_units_of_the_transposed_linear_layer_of_transformers() -> None:
    class Conv1D(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight, self.bias = nn.Parameter(torch.randn(4, 5)), nn.Parameter(torch.randn(5))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x @ self.weight + self.bias

    Conv1D.__module__ = "transformers.pytorch_utils"  # it is known by its name: the library need not be there
    net, x = Conv1D(), torch.randn(3, 4)
    mutant = gw.mutate(net, gw.Zero(1.0, where=gw.where(units=[2])), seed=1)
    assert (mutant(x) == 0).all(0).tolist() == [False, False, True, False, False]
