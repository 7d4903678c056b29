from fractions import Fraction
from itertools import pairwise
from math import comb

import numpy as np
import pytest

from genewright.noise.binomial import BLOCK, thresholds

RATES = [0.5, 0.4999999999999999, 0.3, 0.1, 0.01, 0.001, 1e-5, 2.0**-30, 1e-12]


def exact(rate, count):
    """The definition by rational arithmetic, without one rounding before the last."""
    hit = Fraction(rate)
    a, b = hit.numerator, hit.denominator
    total, made = 0, []
    for j in range(count):
        total += comb(BLOCK, j) * a**j * (b - a) ** (BLOCK - j)
        made.append((2**65 * total + b**BLOCK) // (2 * b**BLOCK))
    return [t for t in made if t < 2**64]


@pytest.mark.parametrize("rate", [0.001, 2.0**-30, 1e-5])
def test_against_rational_arithmetic(rate):
    first, table = thresholds(rate)
    assert first == 0
    assert table.tolist() == exact(rate, 60)[: len(table)]


def test_against_rational_arithmetic_at_one_half():
    first, table = thresholds(0.5)
    total, made = 0, []
    for j in range(BLOCK + 1):
        total += comb(BLOCK, j)
        made.append(total * 2**64 + 2**4095 >> 4096)
    made = [t for t in made if t < 2**64]
    assert [0] * first + table.tolist() == made


@pytest.mark.parametrize("rate", RATES)
def test_sorted_and_of_the_right_mean(rate):
    first, table = thresholds(rate)
    assert (np.diff(table.astype(object)) >= 0).all()
    mean = first + sum(1 - t / 2**64 for t in table.tolist())
    assert mean == pytest.approx(BLOCK * rate, rel=1e-9)


def test_counts_grow_with_the_rate():
    rates = sorted(RATES)
    for low, high in pairwise(rates):
        padded = [[0] * first + table.tolist() for first, table in map(thresholds, (low, high))]
        assert all(a >= b for a, b in zip(*padded, strict=False))
        assert len(padded[0]) <= len(padded[1])
