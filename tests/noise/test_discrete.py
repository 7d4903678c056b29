import math
from bisect import bisect_right
from collections import Counter
from fractions import Fraction
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genewright.errors import SettingError, UnsupportedError
from genewright.noise import Purpose, Stream, choice, permutation, uniform01
from genewright.noise.words import counter_words

STREAM = Stream(key=31, tweak=37)
INDICES = st.lists(st.integers(0, 2**32 - 1) | st.integers(0, 50), max_size=30)
LARGE = st.lists(st.integers(0, 2**64 - 1), max_size=30)


def shaped(index):
    """Return an array of the indices, of two dimensions where they allow it."""
    array = np.array(index, np.uint64)
    return array.reshape(2, -1) if array.size % 2 == 0 else array


@given(LARGE)
def test_many_draws_are_one_by_one(index):
    many = uniform01(STREAM, shaped(index))
    assert many.dtype == np.float64
    assert many.shape == shaped(index).shape
    assert many.ravel().tolist() == [uniform01(STREAM, i) for i in index]


@given(LARGE, st.lists(st.sampled_from([0.0, 1e-300, 0.1, 1.0, 2.5, 1e308]), min_size=1, max_size=6))
def test_many_choices_are_one_by_one_and_by_exact_fractions(index, weights):
    weights = [*weights, 1.0]
    many = choice(STREAM, weights, shaped(index))
    assert many.dtype == np.int64
    assert many.shape == shaped(index).shape
    assert many.ravel().tolist() == [choice(STREAM, weights, i) for i in index]
    sums = list(accumulate(map(Fraction, weights)))
    low, high, _, _ = counter_words(STREAM, Purpose.CHOICE, np.array(index, np.uint64))
    bits = [int(a) | int(b) << 32 for a, b in zip(low, high, strict=True)]
    assert many.ravel().tolist() == [bisect_right(sums, Fraction(u, 1 << 64) * sums[-1]) for u in bits]


@settings(deadline=None)
@given(INDICES, st.integers(0, 40))
def test_many_permutations_are_one_by_one(index, size):
    many = permutation(STREAM, size, shaped(index))
    assert many.dtype == np.int64
    assert many.shape == (*shaped(index).shape, size)
    for made, i in zip(many.reshape(len(index), size), index, strict=True):
        assert made.tolist() == permutation(STREAM, size, i).tolist()


def test_one_index_gives_what_python_has():
    assert type(uniform01(STREAM, 3)) is float
    assert type(choice(STREAM, [1, 1], 3)) is int
    assert uniform01(STREAM, range(3, 5)).tolist() == [uniform01(STREAM, 3), uniform01(STREAM, 4)]
    assert permutation(STREAM, 3, np.empty(0, np.int64)).shape == (0, 3)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 17, 1000])
def test_a_permutation(size):
    made = permutation(STREAM, size)
    assert made.dtype == np.int64
    assert sorted(made.tolist()) == list(range(size))


def test_permutations_of_four_are_equally_likely():
    count = 24_000
    seen = Counter(map(tuple, permutation(STREAM, 4, range(count)).tolist()))
    assert len(seen) == 24
    assert sum((n - 1000) ** 2 / 1000 for n in seen.values()) < 23 + 4.5 * math.sqrt(46)


def test_choice_follows_the_weights():
    made = np.bincount([choice(STREAM, [1, 0, 2.5, 0.5], index) for index in range(8000)], minlength=4)
    assert made[1] == 0
    expected = np.array([2000, 5000, 1000])
    assert float(((made[[0, 2, 3]] - expected) ** 2 / expected).sum()) < 14


def test_choice_does_not_depend_on_the_unit_of_the_weights():
    a = [choice(STREAM, [1, 2, 3], index) for index in range(200)]
    assert a == [choice(STREAM, [0.5, 1.0, 1.5], index) for index in range(200)]
    assert choice(STREAM, [1e-300]) == 0
    assert choice(STREAM, [1e308, 1e308, 1e308]) in (0, 1, 2)


@pytest.mark.parametrize("weights", [[], [0, 0], [-1, 2], [math.nan], [math.inf, 1]])
def test_bad_weights(weights):
    with pytest.raises(ValueError, match="finite"):
        choice(STREAM, weights)


def test_uniform01():
    made = [uniform01(STREAM, index) for index in range(4000)]
    assert all(0 <= value < 1 for value in made)
    assert abs(sum(made) / 4000 - 0.5) < 4.5 / math.sqrt(12 * 4000)
    assert len(set(made)) == 4000


@pytest.mark.parametrize("call", [uniform01, lambda s, i: choice(s, [1], i), lambda s, i: permutation(s, 3, i)])
def test_bad_indices(call):
    for index in (-1, 2**64, np.array([0, -1])):
        with pytest.raises(SettingError, match="index"):
            call(STREAM, index)
    with pytest.raises(UnsupportedError, match="integer array"):
        call(STREAM, np.array([0.5]))


def test_bad_permutations():
    with pytest.raises(SettingError, match="size"):
        permutation(STREAM, -1)
    for index in (2**32, np.array([1, 2**32])):
        with pytest.raises(SettingError, match="index"):
            permutation(STREAM, 3, index)
