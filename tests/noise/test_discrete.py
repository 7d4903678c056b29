import math

import numpy as np
import pytest

from genewright.noise import Stream, choice, permutation, uniform01

STREAM = Stream(key=31, tweak=37)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 17, 1000])
def test_a_permutation(size):
    made = permutation(STREAM, size)
    assert made.dtype == np.int64
    assert sorted(made.tolist()) == list(range(size))


def test_permutations_of_four_are_equally_likely():
    count = 24_000
    seen: dict[tuple[int, ...], int] = {}
    for index in range(count):
        made = tuple(permutation(STREAM, 4, index).tolist())
        seen[made] = seen.get(made, 0) + 1
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


def test_bad_indices():
    for call in (lambda: uniform01(STREAM, -1), lambda: choice(STREAM, [1], 2**64), lambda: permutation(STREAM, 3, -1)):
        with pytest.raises(ValueError, match="index"):
            call()
    with pytest.raises(ValueError, match="size"):
        permutation(STREAM, -1)
