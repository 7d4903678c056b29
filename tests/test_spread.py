"""The spread: exact to rounding, and the same bits whatever the machine's vector width is."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genewright.spread import spread


@given(hnp.arrays(np.float32, st.integers(1, 200), elements=st.floats(-1e6, 1e6, width=32)))
def test_against_exact_arithmetic(values: Any) -> None:
    exact = [Fraction(float(v)) for v in values]
    mean = sum(exact) / len(exact)
    wanted = math.sqrt(sum((v - mean) ** 2 for v in exact) / len(exact))
    largest = float(np.abs(values).max())
    assert abs(spread(values) - wanted) <= 1e-12 * wanted + 1e-15 * largest


def halved(values: list[float]) -> float:
    """Return the sum by halves, one addition at a time: the definition, without NumPy's reductions."""
    padded = values + [0.0] * ((1 << max(0, len(values) - 1).bit_length()) - len(values))
    while len(padded) > 1:
        half = len(padded) // 2
        padded = [a + b for a, b in zip(padded[:half], padded[half:], strict=True)]
    return padded[0]


def defined(values: Any) -> float:
    def total(numbers: list[float]) -> float:
        blocks = [numbers[i : i + 4096] for i in range(0, len(numbers), 4096)]
        return halved([halved(block + [0.0] * (4096 - len(block))) for block in blocks])

    numbers = [float(v) for v in values.ravel()]
    mean = total(numbers) / len(numbers)
    return math.sqrt(total([(v - mean) * (v - mean) for v in numbers]) / len(numbers))


@pytest.mark.parametrize("size", [1, 2, 7, 4095, 4096, 4097, 50_001])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_its_bits_are_those_of_the_definition(size: int, dtype: Any) -> None:
    values = np.random.default_rng(size).normal(3, 2, size).astype(dtype)
    assert spread(values) == defined(values)


def test_larger_than_a_chunk() -> None:
    values = np.random.default_rng(0).normal(size=1_048_576 + 5000).astype(np.float32)
    assert spread(values) == pytest.approx(np.std(values.astype(np.float64)), rel=1e-12)


def test_shape_and_layout_do_not_matter() -> None:
    values = np.random.default_rng(0).normal(size=(60, 70)).astype(np.float32)
    assert spread(values) == spread(values.ravel()) == spread(np.asfortranarray(values))


@pytest.mark.parametrize(
    ("values", "wanted"), [([], 0.0), ([5.0], 0.0), ([1.0, 1.0], 0.0), ([-1.0, 1.0], 1.0), ([1e300, -1e300], math.inf)]
)
def test_small_cases(values: list[float], wanted: float) -> None:
    assert spread(np.array(values, np.float64)) == wanted


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_has_no_spread(value: float) -> None:
    assert not math.isfinite(spread(np.array([1.0, value, 2.0])))
