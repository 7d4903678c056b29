"""LaplaceNoise: w + scale * unit * z, by a float64 oracle, and its statistics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

import genewright as gw
from tests.operators.oracle import SEED, array, draws, hits, layer


@pytest.mark.parametrize("rate", [1.0, 0.3])
@pytest.mark.parametrize("relative_to", ["none", "tensor", "weight"])
def test_formula(rate: float, relative_to: str) -> None:
    base = layer()
    operator = gw.LaplaceNoise(scale=0.5, rate=rate, relative_to=relative_to)  # type: ignore[arg-type]
    mutant = gw.mutate(base, operator, seed=SEED)
    old = array(base.weight)
    hit = hits("laplace_noise", rate, old.shape)
    unit = {"none": 1.0, "tensor": np.std(old), "weight": np.abs(old)}[relative_to]
    noise = 0.5 * unit * draws("laplace_noise", "laplace", old.shape) * hit
    # one rounding of the product and one of the sum
    slack = 2**-23 * (np.abs(noise) + np.abs(old + noise)) + 1e-30
    assert (np.abs(array(mutant.weight) - (old + noise)) <= slack).all()
    assert np.array_equal(array(mutant.weight)[~hit], old[~hit])


def test_law() -> None:
    zero = torch.nn.Linear(400, 500, bias=False)
    torch.nn.init.zeros_(zero.weight)
    noise = array(gw.mutate(zero, gw.LaplaceNoise(scale=2.0), seed=SEED).weight).ravel()
    assert stats.kstest(noise / 2.0, "laplace").pvalue > 1e-3


def test_its_noise_is_not_another_operators() -> None:
    base = layer()
    alone = array(gw.mutate(base, gw.LaplaceNoise(scale=1.0), seed=SEED).weight) - array(base.weight)
    other = array(gw.mutate(base, gw.GaussianNoise(std=1.0), seed=SEED).weight) - array(base.weight)
    assert abs(stats.spearmanr(alone.ravel(), other.ravel()).statistic) < 0.15


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf"), "a lot"])
def test_scale_out_of_range_is_refused(bad: object) -> None:
    with pytest.raises(gw.SettingError, match="LaplaceNoise: scale must be a finite number of at least 0"):
        gw.LaplaceNoise(scale=bad)  # type: ignore[arg-type]
