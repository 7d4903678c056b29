"""The transform, over segments by default and over every one of its 2**31 magnitudes in the slow sweep."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from genewright.noise.philox import LOW
from genewright.noise.quantile import magnitude, split
from genewright.noise.tables import table

FALLING = ("normal", "truncated_normal", "laplace")


def fixed(name, word):
    segment, offset = split(word)
    return magnitude(table(name)[segment], offset)


def borders(width=3):
    """The magnitudes around every border between segments, ascending: the tails first."""
    edges = [(1 << octave) * (64 + part) // 128 for octave in range(32) for part in range(64)]
    near = {v for edge in edges for v in range(edge - width, edge + width + 1)}
    return np.array(sorted(v for v in near | {2**31 - 1} if 0 <= v < 2**31), np.uint32)


def test_split_is_the_octave_the_segment_and_the_offset():
    word = np.array([0, 1, 2, 77, 2**30 + 12345, 2**31 - 1], np.uint32)
    segment, offset = split(word)
    for w, s, t in zip(word.tolist(), segment.tolist(), offset.tolist(), strict=True):
        tail = 2 * w + 1
        octave = tail.bit_length() - 1
        fraction = (tail << (31 - octave)) - 2**31
        assert s == octave * 64 + (fraction >> 25)
        assert t == (fraction << 7) & 0xFFFFFFFF
    assert np.array_equal(split(word | np.uint32(1 << 31))[0], segment)


@pytest.mark.parametrize("name", FALLING)
def test_monotone_across_all_borders(name):
    made = fixed(name, borders()).astype(np.int64)
    assert (np.diff(made) <= 0).all()
    assert made.min() >= 0
    assert made.max() < 2**31


def test_the_normal_is_the_inverse_of_its_distribution():
    word = np.random.default_rng(1).integers(0, 2**31, 20_000, dtype=np.uint32)
    z = fixed("normal", word) / 2**28
    tail = (word + 0.5) / 2**31
    distance = [abs(math.erfc(x / math.sqrt(2)) - p) / 2 for x, p in zip(z.tolist(), tail.tolist(), strict=True)]
    assert max(distance) < 1.1e-8
    oracle = NormalDist()
    exact = np.array([-oracle.inv_cdf(p / 2) for p in tail.tolist()])
    assert np.abs(z - exact).max() < 5e-8
    assert fixed("normal", np.zeros(1, np.uint32))[0] / 2**28 == pytest.approx(6.3888, abs=1e-4)


def test_the_other_tables_are_their_inverses():
    word = np.random.default_rng(2).integers(0, 2**31, 20_000, dtype=np.uint32)
    tail = (word + 0.5) / 2**31
    assert np.abs(fixed("laplace", word) / 2**26 + np.log(tail)).max() < 2e-7
    oracle = NormalDist()
    outside = 2 * oracle.cdf(-2)
    exact = [-oracle.inv_cdf((outside + p * (1 - outside)) / 2) for p in tail.tolist()]
    assert np.abs(fixed("truncated_normal", word) / 2**28 - exact).max() < 5e-8
    octave = (split(word)[0] >> np.uint64(6)).astype(float)
    cauchy = fixed("cauchy", word) / 2**25 * 2 ** (31 - octave)
    assert np.abs(cauchy * np.tan(np.pi / 2 * tail) - 1)[tail < 0.9].max() < 1e-6
    g = np.random.default_rng(3).integers(0, 2**32, 20_000, dtype=np.uint64)
    made = magnitude(table("exp2")[g >> np.uint64(26)], (g << np.uint64(6)) & LOW) / 2**28
    assert np.abs(made * 2 ** (g / 2**32) - 1).max() < 3e-8


@pytest.mark.slow
def test_every_magnitude_of_the_normal():
    """Monotone, and the moments and the distribution of the whole, over all 2**31 magnitudes."""
    count, chunk = 2**31, 1 << 22
    second = fourth = 0.0
    last, worst = 2**62, 0.0
    special = pytest.importorskip("scipy.special")
    for start in range(0, count, chunk):
        word = np.arange(start, start + chunk, dtype=np.uint32)
        made = fixed("normal", word).astype(np.int64)
        assert made[0] <= last
        assert (np.diff(made) <= 0).all()
        last = made[-1]
        z = made / 2**28
        square = z * z
        second += float(square.sum())
        fourth += float((square * square).sum())
        thin = slice(None) if start == 0 else slice(0, None, 37)
        worst = max(worst, float(np.abs(special.erfc(z[thin] / np.sqrt(2)) - (word[thin] + 0.5) / count).max()) / 2)
    variance = second / count
    assert abs(variance - 1) < 2e-9
    assert abs(fourth / count / variance**2 - 3) < 1e-8
    assert worst < 1.1e-8
