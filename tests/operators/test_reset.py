"""Reset: the layers' own initial distributions, checked against torch, and the named ones against their formulas."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

import genewright as gw
from tests.operators.oracle import SEED, array, draws, hits, layer

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(90, 300),
    "conv2d": lambda: nn.Conv2d(16, 64, 5),
    "conv_transpose": lambda: nn.ConvTranspose2d(24, 48, 5),
    "embedding": lambda: nn.Embedding(300, 60, padding_idx=4),
    "bilinear": lambda: nn.Bilinear(9, 11, 200),
    "lstm": lambda: nn.LSTM(40, 60),
    "gru_cell": lambda: nn.GRUCell(40, 60),
    "attention": lambda: nn.MultiheadAttention(96, 4),
    "attention_kdim": lambda: nn.MultiheadAttention(96, 4, kdim=64, vdim=80),
}


@pytest.mark.parametrize("name", LAYERS)
def test_default_is_the_law_by_which_torch_itself_initialises(name: str) -> None:
    """Two-sample Kolmogorov-Smirnov between torch's own draw and ours, tensor by tensor."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        own = LAYERS[name]()
    mutant = gw.mutate(own, gw.Reset(), seed=SEED)
    compared = 0
    for (tensor, theirs), ours in zip(own.named_parameters(), mutant.parameters(), strict=True):
        a, b = array(theirs).ravel(), array(ours).ravel()
        if np.ptp(a) == 0:
            assert np.array_equal(a, b), tensor
        else:
            assert stats.ks_2samp(a, b).pvalue > 1e-3, tensor
            assert not np.array_equal(a, b), tensor
        compared += 1
    assert compared > 0


@pytest.mark.parametrize("make", [lambda: nn.BatchNorm2d(5), lambda: nn.LayerNorm(5), lambda: nn.GroupNorm(1, 5)])
def test_normalisation_layers_start_at_one_and_zero(make: Callable[[], nn.Module]) -> None:
    trained = make()
    nn.init.normal_(trained.weight)
    nn.init.normal_(trained.bias)
    mutant = gw.mutate(trained, gw.Reset(), seed=1)
    assert mutant.weight.tolist() == [1.0] * 5
    assert mutant.bias.tolist() == [0.0] * 5


@pytest.mark.parametrize("init", ["default", "normal", "ones"])
def test_the_padding_row_of_an_embedding_stays(init: str) -> None:
    base = nn.Embedding(6, 4, padding_idx=2)
    mutant = gw.mutate(base, gw.Reset(init=init), seed=1)
    assert not mutant.weight[2].any()
    assert bool((mutant.weight[[0, 1, 3, 4, 5]] != base.weight[[0, 1, 3, 4, 5]]).all())


def test_the_padding_row_stays_when_units_are_chosen_too() -> None:
    base = nn.Embedding(6, 4, padding_idx=2)
    mutant = gw.mutate(base, gw.Reset(init="ones", where=gw.where(units=[1, 2, 3])), seed=1)
    expected = base.weight.detach().clone()
    expected[[1, 3]] = 1.0  # a unit is a row; row 2 is chosen as well, and no layer trains it
    assert torch.equal(mutant.weight, expected)


FORMULAS: dict[str, tuple[dict[str, float], str, float]] = {
    "normal": ({}, "normal", 0.02),
    "truncated_normal": ({"std": 0.5}, "truncated_normal", 0.5),
    "uniform": ({"bound": 0.3}, "uniform", 0.3),
    "kaiming_normal": ({}, "normal", math.sqrt(2 / 25)),
    "kaiming_uniform": ({"gain": 1.0}, "uniform", math.sqrt(3 / 25)),
    "xavier_normal": ({}, "normal", math.sqrt(2 / 65)),
    "xavier_uniform": ({"gain": 2.0}, "uniform", 2 * math.sqrt(6 / 65)),
    "lecun_normal": ({}, "normal", math.sqrt(1 / 25)),
    "lecun_uniform": ({}, "uniform", math.sqrt(3 / 25)),
}


@pytest.mark.parametrize("init", FORMULAS)
@pytest.mark.parametrize("rate", [1.0, 0.3])
def test_named_inits(init: str, rate: float) -> None:
    base = layer(40, 25)
    settings, distribution, scale = FORMULAS[init]
    mutant = gw.mutate(base, gw.Reset(init=init, rate=rate, **settings), seed=SEED)
    old = array(base.weight)
    hit = hits("reset", rate, old.shape)
    wanted = np.where(hit, scale * draws("reset", distribution, old.shape), old)
    np.testing.assert_allclose(array(mutant.weight), wanted, rtol=2**-22)
    assert np.array_equal(array(mutant.weight)[~hit], old[~hit])


@pytest.mark.parametrize(
    ("init", "torchs"),
    [
        ("kaiming_normal", nn.init.kaiming_normal_),
        ("kaiming_uniform", nn.init.kaiming_uniform_),
        ("xavier_normal", nn.init.xavier_normal_),
        ("xavier_uniform", nn.init.xavier_uniform_),
    ],
)
def test_inits_by_gain_have_torchs_law(init: str, torchs: Callable[[torch.Tensor], Any]) -> None:
    base = nn.Conv2d(32, 64, 5, bias=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(6)
        theirs = array(torchs(torch.empty_like(base.weight))).ravel()
    ours = array(gw.mutate(base, gw.Reset(init=init), seed=SEED).weight).ravel()
    assert stats.ks_2samp(theirs, ours).pvalue > 1e-3


def test_inits_by_gain_set_biases_to_zero_and_gains_to_one() -> None:
    base = nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3))
    for parameter in base.parameters():
        nn.init.normal_(parameter)
    mutant = gw.mutate(base, gw.Reset(init="xavier_uniform"), seed=1)
    assert mutant[0].bias.tolist() == [0.0] * 3
    assert mutant[1].weight.tolist() == [1.0] * 3
    assert mutant[1].bias.tolist() == [0.0] * 3


@pytest.mark.parametrize(("init", "value"), [("zeros", 0.0), ("ones", 1.0)])
def test_constants(init: str, value: float) -> None:
    mutant = gw.mutate(layer(), gw.Reset(init=init), seed=1)
    assert all(bool((p == value).all()) for p in mutant.parameters())


def test_an_unknown_layer_is_refused_by_name_with_the_way_out() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.randn(3, 3))

    base = Own()
    with pytest.raises(gw.UnsupportedError, match=r"'table' of Own.*not known.*init='normal'.*where='table'"):
        gw.mutate(base, gw.Reset(), seed=1)
    gw.mutate(base, gw.Reset(init="normal", std=0.02, where="table"), seed=1)
    with pytest.raises(gw.UnsupportedError, match="no fan-in"):
        gw.mutate(base, gw.Reset(init="kaiming_normal"), seed=1)


def test_a_parametrized_tensor_is_refused_by_name() -> None:
    base = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
    with pytest.raises(gw.UnsupportedError, match=r"parametrizations\.weight\.original0"):
        gw.mutate(base, gw.Reset(), seed=1)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"init": "kaiming"}, "Did you mean 'kaiming_"),
        ({"init": "normal", "gain": 1.0}, "gain belongs to init"),
        ({"std": 1.0}, "std belongs to init normal, truncated_normal"),
        ({"init": "uniform", "bound": -1.0}, "bound must be"),
        ({"init": "normal", "std": float("nan")}, "std must be"),
        ({"rate": 1.5}, "rate must be a number from 0 to 1"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(gw.SettingError, match=says):
        gw.Reset(**settings)
