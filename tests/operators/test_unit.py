"""Strengths relative to a tensor without spread: what stands in for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import genewright as gw
from genewright.backends import backend_of
from genewright.operators.weights.unit import unit_of

NOISE = gw.GaussianNoise(std=0.1, relative_to="tensor")


def _filled(layer: Any, value: float) -> Any:
    with torch.no_grad():
        layer.fill_(value)
    return layer


def _unit(model: nn.Module, name: str) -> float:
    network = backend_of(model).network(model)
    return unit_of(network.tensor(name), network)


def _std(tensor: torch.Tensor) -> float:
    return float(np.std(tensor.detach().double().numpy()))


def test_a_tensor_with_a_spread_has_its_own() -> None:
    layer = nn.Linear(7, 5)
    assert _unit(layer, "bias") == pytest.approx(_std(layer.bias), rel=1e-12)


def test_equal_elements_that_are_no_round_numbers_have_no_spread_by_rounding() -> None:
    layer = nn.Linear(7, 1001)
    _filled(layer.bias, 0.1)
    assert _unit(layer, "bias") == pytest.approx(_std(layer.weight), rel=1e-12)


def test_a_bias_takes_the_spread_of_the_largest_parameter_of_its_layer() -> None:
    layer = nn.LSTM(3, 9)
    _filled(layer.bias_ih_l0, 0.0)
    assert _unit(layer, "bias_ih_l0") == pytest.approx(_std(layer.weight_hh_l0), rel=1e-12)


def test_fresh_norms_count_in_units_of_their_gain_whatever_their_statistics() -> None:
    norm = nn.BatchNorm1d(5)
    norm.running_mean.normal_()
    assert (_unit(norm, "weight"), _unit(norm, "bias")) == (1, 1)
    _filled(norm.weight, -0.25)
    assert (_unit(norm, "weight"), _unit(norm, "bias")) == (0.25, 0.25)


def test_alone_it_takes_its_magnitude_else_what_a_fresh_layer_has_else_one() -> None:
    kernel = nn.Linear(16, 4, bias=False)
    assert _unit(_all(kernel, 1e-5), "weight") == pytest.approx(1e-5)
    assert _unit(_all(kernel, 0.0), "weight") == 0.25
    gate = nn.Module()
    gate.alpha = nn.Parameter(torch.zeros(()))
    assert _unit(gate, "alpha") == 1


def _all(model: nn.Module, value: float) -> nn.Module:
    for parameter in model.parameters():
        _filled(parameter, value)
    return model


def test_every_trainable_tensor_moves_by_about_the_strength() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 64, 3), nn.BatchNorm2d(64), nn.ReLU(), nn.Flatten(), nn.Linear(64, 200))
    for module in (model[0], model[4]):
        _filled(module.bias, 0.0)
    mutant = gw.mutate(model, NOISE, seed=1)
    units = {name: _unit(model, name) for name, _ in model.named_parameters()}
    for (name, before), after in zip(model.named_parameters(), mutant.parameters(), strict=True):
        assert _std(after - before) == pytest.approx(0.1 * units[name], rel=0.3), name
    assert units["4.bias"] == pytest.approx(_std(model[4].weight), rel=1e-12)


def test_a_file_gets_the_bytes_of_its_module(tmp_path: Any) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    _filled(model[0].bias, 0.0)
    path = tmp_path / "net.pt"
    torch.save(model.state_dict(), path)
    mutant = gw.mutate(gw.read_checkpoint(path), NOISE, seed=1)
    assert gw.fingerprint(mutant) == gw.fingerprint(gw.mutate(model, NOISE, seed=1))


def test_the_plan_counts_what_changes() -> None:
    layer = _all(nn.Linear(3, 2), 0.0)
    assert "about 8 of 8" in str(gw.plan(layer, NOISE, seed=1))
    assert "about 0 of 8" in str(gw.plan(layer, gw.GaussianNoise(std=0.0), seed=1))
