"""FactorNoise: w * exp(std * z), by a float64 oracle, and its statistics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import genewright as gw
from tests.operators.oracle import SEED, array, draws, hits, layer


@pytest.mark.parametrize("rate", [1.0, 0.3])
def test_formula(rate: float) -> None:
    base = layer()
    mutant = gw.mutate(base, gw.FactorNoise(std=0.5, rate=rate), seed=SEED)
    old = array(base.weight)
    hit = hits("factor_noise", rate, old.shape)
    wanted = np.where(hit, old * np.exp(0.5 * draws("factor_noise", "normal", old.shape)), old)
    assert (np.abs(array(mutant.weight) - wanted) <= 3e-7 * np.abs(wanted)).all()
    assert np.array_equal(array(mutant.weight)[~hit], old[~hit])


def test_law() -> None:
    ones = torch.nn.Linear(400, 500, bias=False)
    torch.nn.init.ones_(ones.weight)
    factors = array(gw.mutate(ones, gw.FactorNoise(std=0.7), seed=SEED).weight).ravel()
    assert stats.kstest(np.log(factors) / 0.7, "norm").pvalue > 1e-3


@given(std=st.floats(0, 3), seed=st.integers())
def test_signs_and_zeros_stay(std: float, seed: int) -> None:
    base = layer(5, 6)
    mutant = gw.mutate(base, gw.FactorNoise(std=std), seed=seed)
    assert torch.equal(mutant.weight.sign(), base.weight.sign())


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_std_out_of_range_is_refused(bad: float) -> None:
    with pytest.raises(gw.SettingError, match="FactorNoise: std must be"):
        gw.FactorNoise(std=bad)


def test_an_unknown_rounding_is_refused_with_the_nearest() -> None:
    with pytest.raises(gw.SettingError, match="Did you mean 'stochastic'"):
        gw.FactorNoise(rounding="stochastik")  # type: ignore[arg-type]
