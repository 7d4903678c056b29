import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genewright.noise import Stream, draw, factor
from genewright.noise.lognormal import INVERSE_LN2, multiplier

STREAM = Stream(key=17, tweak=19)


@pytest.mark.parametrize("scale", [0.0, 1e-7, 1e-3, 0.1, 0.5, 1.0, 3.0, 10.0])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 4e-8), ("float32", 1.2e-7)])
def test_against_exp(scale, dtype, tolerance):
    z = draw(STREAM, "normal", range(20_000), "float64")
    made = factor(STREAM, scale, range(20_000), dtype)
    assert made.dtype == np.dtype(dtype)
    assert np.abs(made * np.exp(-scale * z) - 1).max() < tolerance


def test_scale_zero_is_exactly_one():
    assert set(factor(STREAM, 0.0, range(1000)).tolist()) == {1.0}


def test_far_out_it_stays_positive_and_finite():
    for scale in (1e2, 1e6, 1e300):
        made = factor(STREAM, scale, range(10_000))
        assert made.min() >= 2.0**-121
        assert made.max() <= 2.0**120


@given(st.floats(0, 1e9, allow_subnormal=True))
def test_the_multiplier_is_the_scale(scale):
    mantissa, shift = multiplier(scale)
    assert 0 <= mantissa <= 2**31
    assert 0 <= shift <= 63
    exact = min(scale, 2.0**24) * float(INVERSE_LN2) * 16
    assert mantissa / 2**shift == pytest.approx(exact, rel=2e-9, abs=2**-32)


def test_the_constant():
    assert float(INVERSE_LN2) == 1 / math.log(2)


@pytest.mark.parametrize("scale", [-1.0, math.nan, math.inf])
def test_bad_scales(scale):
    with pytest.raises(ValueError, match="finite and at least 0"):
        factor(STREAM, scale, range(3))


def test_bad_dtype():
    with pytest.raises(ValueError, match="float32 or float64"):
        factor(STREAM, 1.0, range(3), "float16")
