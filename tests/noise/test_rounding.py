import ml_dtypes
import numpy as np
import pytest

from genewright.noise.rounding import narrow, widen

TYPES = {"bfloat16": ml_dtypes.bfloat16, "float16": np.float16}


def samples():
    """All float32 exponents, random mantissas, ties, and the values around overflow and subnormals."""
    rng = np.random.default_rng(0)
    exponents = np.repeat(np.arange(255, dtype=np.uint32), 200)
    mantissas = rng.integers(0, 2**23, exponents.size, dtype=np.uint32)
    ties = mantissas & np.uint32(0x7FF000) | rng.integers(0, 2, exponents.size, dtype=np.uint32) << np.uint32(12)
    bits = np.concatenate([exponents << np.uint32(23) | m for m in (mantissas, ties, mantissas & np.uint32(0x7F8000))])
    values = np.concatenate(
        [bits.view(np.float32), np.float32([0, np.inf, 65504, 65519.996, 65520, 3.3895e38, 3.4e38])]
    )
    return np.concatenate([values, -values])


@pytest.mark.parametrize("dtype", TYPES)
def test_widen_is_exact(dtype):
    patterns = np.arange(2**16, dtype=np.uint16)
    with np.errstate(invalid="ignore"):
        expected = patterns.view(TYPES[dtype]).astype(np.float32)
    made = widen(patterns, dtype)
    assert np.array_equal(made, expected, equal_nan=True)


@pytest.mark.parametrize("dtype", TYPES)
def test_nearest_is_ieee(dtype):
    values = samples()
    with np.errstate(over="ignore"):
        expected = values.astype(TYPES[dtype]).view(np.uint16)
    assert np.array_equal(narrow(values, dtype), expected)


@pytest.mark.parametrize("dtype", TYPES)
def test_stochastic_takes_one_of_the_two_neighbours(dtype):
    values = samples()
    rng = np.random.default_rng(1)
    words = rng.integers(0, 2**32, values.size, dtype=np.uint32)
    made = narrow(values, dtype, words)
    low = narrow(values, dtype, np.zeros_like(words))
    high = narrow(values, dtype, np.full_like(words, 2**32 - 1))
    assert ((made == low) | (made == high)).all()
    finite = np.isfinite(widen(narrow(values, dtype), dtype))
    assert (np.abs(widen(low, dtype)) <= np.abs(values))[finite].all()
    exact = widen(low, dtype) == values
    assert (high[exact] == low[exact]).all()
    nearest = narrow(values, dtype)
    infinite = np.isinf(widen(made, dtype))
    assert (made[infinite] == nearest[infinite]).all()
    assert ((made >> 15) == (nearest >> 15)).all()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("value", [1.0012345, 3.1415927, 1e-5, 2.1e-7, 3e-8, 1e-9, 1e-10, 60000.3])
def test_stochastic_is_right_on_average(dtype, value):
    count = 1 << 18
    words = np.random.default_rng(2).integers(0, 2**32, count, dtype=np.uint32)
    single = np.float32(value)
    made = widen(narrow(np.full(count, single), dtype, words), dtype).astype(np.float64)
    step = float(made.max() - made.min()) or 2.0**-24
    assert abs(made.mean() - float(single)) < 4.5 * step * 0.5 / np.sqrt(count)
