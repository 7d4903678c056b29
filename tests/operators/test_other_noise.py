"""CauchyNoise, LaplaceNoise and UniformNoise: w + strength * unit * z, by a float64 oracle, and their statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

import genewright as gw
from tests.operators.oracle import SEED, array, draws, hits, layer

LAWS: dict[type[Any], tuple[str, str, tuple[float, ...]]] = {
    gw.CauchyNoise: ("scale", "cauchy", ()),
    gw.LaplaceNoise: ("scale", "laplace", ()),
    gw.UniformNoise: ("bound", "uniform", (-1, 2)),
}
"""Operator -> its strength's name, its distribution's, and SciPy's arguments for it."""

pytestmark = pytest.mark.parametrize("kind", LAWS, ids=lambda kind: kind.__name__)


def _made(kind: type[Any], strength: object, **settings: Any) -> Any:
    return kind(**{LAWS[kind][0]: strength}, **settings)


@pytest.mark.parametrize("rate", [1.0, 0.3])
@pytest.mark.parametrize("relative_to", ["none", "tensor", "weight"])
def test_formula(kind: type[Any], rate: float, relative_to: str) -> None:
    base = layer()
    mutant = gw.mutate(base, _made(kind, 0.5, rate=rate, relative_to=relative_to), seed=SEED)
    old, name, distribution = array(base.weight), kind(rate=1.0).name, LAWS[kind][1]
    hit = hits(name, rate, old.shape)
    unit = {"none": 1.0, "tensor": np.std(old), "weight": np.abs(old)}[relative_to]
    noise = 0.5 * unit * draws(name, distribution, old.shape) * hit
    # one rounding of the product and one of the sum
    slack = 2**-23 * (np.abs(noise) + np.abs(old + noise)) + 1e-30
    assert (np.abs(array(mutant.weight) - (old + noise)) <= slack).all()
    assert np.array_equal(array(mutant.weight)[~hit], old[~hit])


def test_law(kind: type[Any]) -> None:
    zero = torch.nn.Linear(400, 500, bias=False)
    torch.nn.init.zeros_(zero.weight)
    noise = array(gw.mutate(zero, _made(kind, 2.0), seed=SEED).weight).ravel()
    assert stats.kstest(noise / 2.0, LAWS[kind][1], args=LAWS[kind][2]).pvalue > 1e-3


def test_its_noise_is_not_another_operators(kind: type[Any]) -> None:
    base = layer()
    alone = array(gw.mutate(base, _made(kind, 1.0), seed=SEED).weight) - array(base.weight)
    other = array(gw.mutate(base, gw.GaussianNoise(std=1.0), seed=SEED).weight) - array(base.weight)
    assert abs(stats.spearmanr(alone.ravel(), other.ravel()).statistic) < 0.15


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf"), "a lot"])
def test_a_strength_out_of_range_is_refused(kind: type[Any], bad: object) -> None:
    message = f"{kind.__name__}: {LAWS[kind][0]} must be a finite number of at least 0"
    with pytest.raises(gw.SettingError, match=message):
        _made(kind, bad)
