import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genewright.noise import Change, ShardUndo, Stream, apply, apply_shard
from genewright.noise.shards import runs

STREAM = Stream(key=47, tweak=53)


@st.composite
def blocks(draw):
    shape = draw(st.lists(st.integers(1, 9), min_size=0, max_size=4))
    ends = [sorted((draw(st.integers(0, size)), draw(st.integers(0, size)))) for size in shape]
    return shape, [low for low, _ in ends], [high - low for low, high in ends]


@settings(max_examples=150, deadline=None)
@given(blocks(), st.sampled_from([1.0, 0.4]), st.booleans())
def test_a_shard_is_the_slice_of_the_whole(block, rate, journal):
    shape, offset, lengths = block
    change = Change(combine="add", scale=0.5, rate=rate)
    whole = np.random.default_rng(0).standard_normal(shape).astype(np.float32).reshape(shape)
    cut = tuple(slice(a, a + n) for a, n in zip(offset, lengths, strict=True))
    part = np.array(whole[cut], order="C").reshape(lengths)
    before = part.copy()
    apply(whole.reshape(-1), change, STREAM, dtype="float32")
    undos = []
    note = undos.append if journal else None
    apply_shard(part, change, STREAM, dtype="float32", shape=shape, offset=offset, journal=note)
    assert np.array_equal(part, whole[cut])
    for undo in undos:
        undo.restore(part)
        undo.restore(part)
        assert np.array_equal(part, before)
        assert undo.nbytes >= 0


def test_rows_are_one_run():
    assert list(runs((8, 100), (2, 0), (3, 100))) == [(slice(0, 300), 200)]
    assert list(runs((3, 4, 5), (1, 1, 0), (1, 2, 5))) == [(slice(0, 10), 25)]
    assert list(runs((), (), ())) == [(slice(0, 1), 0)]
    assert list(runs((5, 0), (0, 0), (5, 0))) == []


def test_bad_blocks():
    with pytest.raises(ValueError, match="not inside"):
        list(runs((4, 4), (3, 0), (2, 4)))
    with pytest.raises(ValueError, match=r"contiguous shard of shape \(4, 4\)"):
        ShardUndo((4, 4)).restore(np.zeros((4, 4), np.float32).T)
    with pytest.raises(ValueError, match="contiguous"):
        apply_shard(
            np.zeros((4, 4), np.float32).T, Change(combine="add"), STREAM, dtype="float32", shape=(4, 4), offset=(0, 0)
        )
