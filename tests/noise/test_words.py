import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genewright.noise import Purpose, Stream, words

STREAM = Stream(key=3, tweak=5)


@given(st.lists(st.integers(0, 2**45), max_size=50))
def test_words_do_not_depend_on_the_order(index):
    array = np.array(index, np.int64)
    one_by_one = [int(words(STREAM, Purpose.NOISE, np.array([i]))[0]) for i in index]
    assert words(STREAM, Purpose.NOISE, array).tolist() == one_by_one
    assert words(STREAM, Purpose.NOISE, array[::-1]).tolist() == one_by_one[::-1]


@given(st.integers(0, 2**41), st.integers(0, 300))
def test_a_range_is_its_array(start, size):
    index = range(start, start + size)
    assert np.array_equal(
        words(STREAM, Purpose.NOISE, index), words(STREAM, Purpose.NOISE, np.arange(start, start + size))
    )


def test_shapes_and_types_of_the_index():
    whole = words(STREAM, Purpose.NOISE, range(24))
    assert whole.dtype == np.uint32
    assert np.array_equal(
        words(STREAM, Purpose.NOISE, np.arange(24, dtype=np.uint8).reshape(2, 12)), whole.reshape(2, 12)
    )
    assert np.array_equal(words(STREAM, Purpose.NOISE, range(0, 24, 5)), whole[::5])
    assert words(STREAM, Purpose.NOISE, range(0)).size == 0


def test_purposes_and_streams_differ():
    rows = [words(STREAM, purpose, range(64)) for purpose in Purpose]
    rows += [
        words(Stream(key=4, tweak=5), Purpose.NOISE, range(64)),
        words(Stream(key=3, tweak=6), Purpose.NOISE, range(64)),
    ]
    assert len({row.tobytes() for row in rows}) == len(rows)
    assert np.unique(np.concatenate(rows)).size > 64 * len(rows) - 3


def test_bad_indices():
    with pytest.raises(ValueError, match="counts from 0"):
        words(STREAM, Purpose.NOISE, np.array([-1]))
    with pytest.raises(TypeError, match="integer array"):
        words(STREAM, Purpose.NOISE, np.array([0.5]))


def test_words_are_uniform():
    sample = words(STREAM, Purpose.NOISE, range(1 << 20))
    for shift in (0, 8, 16, 24):
        counts = np.bincount((sample >> np.uint32(shift)) & np.uint32(255), minlength=256)
        chi = float(((counts - 4096) ** 2 / 4096).sum())
        assert 150 < chi < 380  # 255 degrees of freedom: 4.6 standard deviations


def test_no_global_generator_is_read_or_moved():
    np_before, py_before = np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002 the state that must stay
    first = words(STREAM, Purpose.NOISE, range(100))
    np.random.seed(1)  # noqa: NPY002 must have no effect
    assert np.array_equal(words(STREAM, Purpose.NOISE, range(100)), first)
    np.random.seed(2)  # noqa: NPY002
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    words(STREAM, Purpose.NOISE, range(100))
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert random.getstate() == py_before
    assert np_before.shape == state.shape
