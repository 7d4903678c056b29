"""Number formats: against torch and ml_dtypes, exhaustively where that is possible."""

from __future__ import annotations

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genewright import bfloat16
from genewright.elements import decoded, encoded

EVERY = np.arange(1 << 16, dtype=np.uint16)


def test_every_bfloat16_is_the_number_that_ml_dtypes_says() -> None:
    theirs = EVERY.view(ml_dtypes.bfloat16).astype(np.float32)
    ours = bfloat16.to_float32(EVERY)
    assert np.array_equal(ours, theirs, equal_nan=True)


def test_every_bfloat16_survives_the_way_there_and_back() -> None:
    numbers = ~np.isnan(bfloat16.to_float32(EVERY))
    assert np.array_equal(bfloat16.from_float32(bfloat16.to_float32(EVERY))[numbers], EVERY[numbers])
    assert np.array_equal(encoded(decoded(EVERY, "bfloat16"), "bfloat16")[numbers], EVERY[numbers])
    assert np.isnan(bfloat16.to_float32(bfloat16.from_float32(bfloat16.to_float32(EVERY)))[~numbers]).all()


def test_every_float16_survives_the_way_there_and_back() -> None:
    halves = EVERY.view(np.float16)
    numbers = ~np.isnan(halves)
    assert np.array_equal(encoded(decoded(halves, "float16"), "float16")[numbers].view(np.uint16), EVERY[numbers])


def test_rounding_from_float32_is_ml_dtypes() -> None:
    bits = np.random.default_rng(1).integers(0, 1 << 32, 200_000, dtype=np.uint32)
    values = bits.view(np.float32)
    values = values[~np.isnan(values)]
    theirs = values.astype(ml_dtypes.bfloat16).view(np.uint16)
    assert np.array_equal(bfloat16.from_float32(values), theirs)


def nearest(value: float) -> set[int]:
    """Return the bfloat16 nearest to a positive finite number, by exact arithmetic; of two, the even one."""
    low = int(np.searchsorted(bfloat16.to_float32(EVERY[:0x7F80]).astype(np.float64), value, side="right")) - 1
    if low + 1 >= 0x7F80:
        return {0x7F7F, 0x7F80}  # the border to infinity is a case of its own
    a, b = (Fraction(float(bfloat16.to_float32(EVERY[i : i + 1])[0])) for i in (low, low + 1))
    below, above = Fraction(value) - a, b - Fraction(value)
    return {low if below < above or (below == above and low % 2 == 0) else low + 1}


@given(st.floats(0, 3e38))
def test_rounding_from_float64_is_exact(value: float) -> None:
    assert int(bfloat16.from_float64(np.array([value]))[0]) in nearest(value)


@given(st.integers(0, 0x7F7E), st.integers(-3, 3))
def test_rounding_next_to_a_tie_is_exact(low: int, steps: int) -> None:
    """Numbers that rounding to float32 first would turn into ties."""
    pair = bfloat16.to_float32(EVERY[low : low + 2]).astype(np.float64)
    value = float(pair.mean())
    for _ in range(abs(steps)):
        value = float(np.nextafter(value, np.inf if steps > 0 else 0.0))
    assert int(bfloat16.from_float64(np.array([value]))[0]) in nearest(value)


@pytest.mark.parametrize(("value", "bits"), [(np.inf, 0x7F80), (-np.inf, 0xFF80), (1e300, 0x7F80), (-0.0, 0x8000)])
def test_infinities_overflow_and_zero(value: float, bits: int) -> None:
    assert int(bfloat16.from_float64(np.array([value]))[0]) == bits


def test_nan_stays_nan() -> None:
    assert np.isnan(bfloat16.to_float32(bfloat16.from_float64(np.array([np.nan])))).all()
