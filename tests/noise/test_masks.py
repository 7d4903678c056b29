import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genewright.noise import Stream
from genewright.noise.masks import positions

STREAM = Stream(key=23, tweak=29)


@given(
    st.sampled_from([0.0, 1e-9, 0.001, 0.1, 0.5, 0.6, 0.97, 1.0]),
    st.integers(0, 20_000),
    st.lists(st.integers(0, 20_000), max_size=4),
)
def test_the_parts_of_any_cut_are_the_whole(mask, rate, size, cuts):
    edges = sorted({0, size, *(cut for cut in cuts if cut < size)})
    parts = [mask(STREAM, rate, size, start=a, stop=b) for a, b in pairwise(edges)]
    whole = mask(STREAM, rate, size)
    assert np.array_equal(np.concatenate([*parts, np.empty(0, np.int64)]), whole)
    assert whole.dtype == np.int64
    assert (np.diff(whole) > 0).all()
    assert np.array_equal(mask(STREAM, rate, size + 5000)[: len(whole)], whole)


@given(st.floats(0, 0.5), st.floats(0, 0.5))
def test_nested(mask, a, b):
    low, high = (set(mask(STREAM, rate, 9000).tolist()) for rate in sorted((a, b)))
    assert low <= high


def test_far_out(mask):
    start = 2**40 - 5000
    found = mask(STREAM, 0.01, 2**40, start=start)
    assert 20 < found.size < 90
    assert found.min() >= start
    assert np.array_equal(found[found < 2**40 - 999], mask(STREAM, 0.01, 2**41, start=start, stop=2**40 - 999))


def test_all_and_nothing(mask):
    assert mask(STREAM, 0.0, 10_000).size == 0
    assert np.array_equal(mask(STREAM, 1.0, 10_000), np.arange(10_000))
    assert mask(STREAM, 0.3, 0).size == 0


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.99])
def test_the_number_of_hits_is_binomial(mask, rate):
    size = 4096 * 250
    found = mask(STREAM, rate, size)
    deviation = math.sqrt(size * rate * (1 - rate))
    assert abs(found.size - size * rate) < 4 * deviation
    counts = np.bincount(found // 4096, minlength=250)
    spread = float(((counts - 4096 * rate) ** 2).sum() / (4096 * rate * (1 - rate)))
    assert abs(spread - 250) < 4.5 * math.sqrt(500)


@pytest.mark.parametrize("rate", [0.02, 0.2, 0.45])
def test_gaps_are_geometric(mask, rate):
    gaps = np.diff(mask(STREAM, rate, 4096 * 250))
    top = int(5 / rate)
    observed = np.bincount(np.minimum(gaps, top), minlength=top + 1)[1:]
    expected = gaps.size * rate * (1 - rate) ** np.arange(top)
    expected[-1] = gaps.size * (1 - rate) ** (top - 1)
    chi = float(((observed - expected) ** 2 / expected).sum())
    assert abs(chi - (top - 1)) < 4.5 * math.sqrt(2 * top)


def test_pairs_inside_a_block_are_independent():
    """Chi-square on the cells of pairs: what a Feistel permutation in place of distinct draws fails."""
    blocks, hits = 1500, 20
    found = np.stack([positions(STREAM, block, hits) for block in range(blocks)])
    above = np.triu_indices(hits, 1)
    apart = (found[:, None, :] - found[:, :, None])[:, *above].ravel()
    observed = np.bincount(apart - 1, minlength=4095)[:4032].reshape(63, 64).sum(1)
    expected = apart.size * (4096 - np.arange(1, 4033)).reshape(63, 64).sum(1) / (4096 * 4095 / 2)
    chi = float(((observed - expected) ** 2 / expected).sum())
    assert abs(chi - 63) < 4.5 * math.sqrt(2 * 63)
    parity = np.bincount(((found[:, None, :] ^ found[:, :, None]) & 15)[:, *above].ravel(), minlength=16)
    expected = apart.size * np.array([255, *[256] * 15]) / 4095
    assert float(((parity - expected) ** 2 / expected).sum()) < 15 + 4.5 * math.sqrt(30)


@pytest.mark.parametrize("rate", [-0.1, 1.1, math.nan, math.inf])
def test_bad_rates(mask, rate):
    with pytest.raises(ValueError, match="from 0 to 1"):
        mask(STREAM, rate, 10)


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (6, 5), (0, 11)])
def test_bad_ranges(mask, start, stop):
    with pytest.raises(ValueError, match="start <= stop <= size"):
        mask(STREAM, 0.5, 10, start=start, stop=stop)
