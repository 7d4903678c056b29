import math
from statistics import NormalDist

import numpy as np
import pytest

from genewright.noise import DISTRIBUTIONS, Stream, draw

STREAM = Stream(key=11, tweak=13)
N = 1 << 18

CDF = {
    "normal": lambda x: NormalDist().cdf(x),
    "uniform": lambda x: (x + 1) / 2,
    "laplace": lambda x: math.exp(x) / 2 if x < 0 else 1 - math.exp(-x) / 2,
    "cauchy": lambda x: 0.5 + math.atan(x) / math.pi,
    "truncated_normal": lambda x: (NormalDist().cdf(x) - NormalDist().cdf(-2)) / (1 - 2 * NormalDist().cdf(-2)),
}


@pytest.mark.parametrize("name", sorted(CDF))
def test_the_distribution_by_kolmogorov(name):
    sample = np.sort(draw(STREAM, name, range(N), "float64"))
    expected = np.array([CDF[name](x) for x in sample.tolist()])
    distance = np.abs(expected - (np.arange(N) + 0.5) / N).max() * math.sqrt(N)
    assert distance < 1.95  # a chance of 0.1 %; the stream is fixed


def test_sign():
    sample = draw(STREAM, "sign", range(N))
    assert set(sample.tolist()) == {-1.0, 1.0}
    assert abs(float(sample.sum())) < 4 * math.sqrt(N)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_float32_is_float64_rounded_once(name):
    wide, narrow = draw(STREAM, name, range(5000), "float64"), draw(STREAM, name, range(5000), "float32")
    assert (wide.dtype, narrow.dtype) == (np.float64, np.float32)
    assert np.array_equal(wide.astype(np.float32), narrow)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_random_access(name):
    whole = draw(STREAM, name, range(1000))
    order = np.random.default_rng(0).permutation(1000)
    assert np.array_equal(draw(STREAM, name, order), whole[order])
    assert draw(STREAM, name, range(0)).shape == (0,)


def test_limits():
    assert np.abs(draw(STREAM, "uniform", range(N))).max() < 1
    assert np.abs(draw(STREAM, "truncated_normal", range(N))).max() <= 2
    assert np.isfinite(draw(STREAM, "cauchy", range(N))).all()


def test_neighbours_are_not_correlated():
    z = draw(STREAM, "normal", range(N), "float64")
    for lag in (1, 8, 16, 31, 32, 64, 96, 127, 128, 4096):
        assert abs(float(np.mean(z[:-lag] * z[lag:]))) < 4.5 / math.sqrt(N)


def test_unknown_names():
    with pytest.raises(ValueError, match="Did you mean 'normal'"):
        draw(STREAM, "nromal", range(3))
    with pytest.raises(ValueError, match="float32 or float64"):
        draw(STREAM, "normal", range(3), "float16")
