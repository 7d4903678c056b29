"""GaussianNoise: w + std * unit * z, by a float64 oracle, and its statistics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

import genewright as gw
from tests.operators.oracle import SEED, array, assert_close, draws, hits, layer


@pytest.mark.parametrize("rate", [1.0, 0.3, 0.0])
def test_formula(rate: float) -> None:
    base = layer()
    mutant = gw.mutate(base, gw.GaussianNoise(std=0.5, rate=rate), seed=SEED)
    for name in ("weight", "bias"):
        old = array(getattr(base, name))
        hit = hits("gaussian_noise", rate, old.shape, name)
        assert_close(getattr(mutant, name), old + hit * 0.5 * draws("gaussian_noise", "normal", old.shape, name))
        assert np.array_equal(array(getattr(mutant, name))[~hit], old[~hit])


def test_relative_to_the_tensor() -> None:
    base = layer()
    mutant = gw.mutate(base, gw.GaussianNoise(std=0.5, relative_to="tensor"), seed=SEED)
    old = array(base.weight)
    assert_close(mutant.weight, old + 0.5 * np.std(old) * draws("gaussian_noise", "normal", old.shape))


def test_relative_to_the_weight() -> None:
    base = layer()
    mutant = gw.mutate(base, gw.GaussianNoise(std=0.5, relative_to="weight"), seed=SEED)
    old = array(base.weight)
    assert_close(mutant.weight, old + 0.5 * draws("gaussian_noise", "normal", old.shape) * np.abs(old))
    assert (array(mutant.weight)[old == 0] == 0).all()


def test_law() -> None:
    zero = torch.nn.Linear(400, 500, bias=False)
    torch.nn.init.zeros_(zero.weight)
    noise = array(gw.mutate(zero, gw.GaussianNoise(std=2.0), seed=SEED).weight).ravel()
    assert stats.kstest(noise / 2.0, "norm").pvalue > 1e-3
    assert abs(noise.std() / 2.0 - 1) < 0.01


def test_rate_is_the_share_that_changes() -> None:
    zero = torch.nn.Linear(400, 500, bias=False)
    torch.nn.init.zeros_(zero.weight)
    changed = int((gw.mutate(zero, gw.GaussianNoise(std=1.0, rate=0.3), seed=SEED).weight != 0).sum())
    assert stats.binomtest(changed, 200_000, 0.3).pvalue > 1e-3


def test_a_higher_rate_changes_the_same_and_more() -> None:
    base = layer()
    low = array(gw.mutate(base, gw.GaussianNoise(std=1.0, rate=0.1), seed=SEED).weight)
    high = array(gw.mutate(base, gw.GaussianNoise(std=1.0, rate=0.4), seed=SEED).weight)
    changed = low != array(base.weight)
    assert changed.any()
    assert np.array_equal(low[changed], high[changed])


def test_std_zero_changes_nothing() -> None:
    base = layer()
    assert gw.fingerprint(gw.mutate(base, gw.GaussianNoise(std=0.0), seed=1)) == gw.fingerprint(base)


def test_stochastic_rounding_keeps_the_mean_where_nearest_loses_it() -> None:
    base = torch.nn.Linear(400, 500, bias=False).bfloat16()
    torch.nn.init.ones_(base.weight)
    small = gw.where("weight")
    nearest = gw.mutate(base, gw.UniformNoise(bound=1e-3, where=small), seed=SEED)
    stochastic = gw.mutate(base, gw.GaussianNoise(std=1e-3, rounding="stochastic", where=small), seed=SEED)
    assert bool((nearest.weight == 1).all())
    moved = array(stochastic.weight) - 1
    assert (moved != 0).mean() > 0.05
    assert abs(moved.mean()) < 5 * moved.std() / np.sqrt(moved.size)


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf"), "a lot", None, True])
def test_std_out_of_range_is_refused(bad: object) -> None:
    with pytest.raises(gw.SettingError, match="GaussianNoise: std must be a finite number of at least 0"):
        gw.GaussianNoise(std=bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_tensor_without_a_spread_is_refused_by_name(value: float) -> None:
    base = layer()
    with torch.no_grad():
        base.weight[0, 0] = value
    with pytest.raises(gw.UnsupportedError, match=r"'weight'.*no spread.*'!weight'"):
        gw.mutate(base, gw.GaussianNoise(relative_to="tensor"), seed=1)


def test_a_strength_beyond_the_number_format_is_refused_before_anything_changes() -> None:
    base = torch.nn.Sequential(torch.nn.Linear(2, 2).double(), torch.nn.Linear(2, 2))
    before = gw.fingerprint(base)
    with pytest.raises(gw.SettingError, match=r"infinite in float32.*'1\.weight'"):
        gw.mutate(base, gw.GaussianNoise(std=1e300), seed=1, inplace=True)
    assert gw.fingerprint(base) == before
