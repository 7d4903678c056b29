"""Weighted sums of noise: NumPy and Numba write the same bits; draws, one by one in float64, are the oracle."""

from typing import Any

import numpy as np
import pytest

import genewright as gw
from genewright.bfloat16 import from_float32, to_float32
from genewright.noise import Stream, WeightedSum, add_rounded, apply, apply_shard, derive, draw, mask

from .test_backends import DTYPES, any_patterns

TERMS = tuple((derive(seed, name="w", path="/0"), weight) for seed, weight in enumerate((0.5, -0.25, 0.0, 2e-3, -2.0)))
ROUND = Stream(key=5, tweak=6)
KINDS: dict[str, dict[str, Any]] = {
    "dense": {},
    "decaying": {"decay": 0.1},
    "sparse": {"rate": 0.02},
    "crowded": {"rate": 0.9, "decay": 0.1},
    "of low rank": {"rank": 2, "matrix": (1000, 71)},
}
PLACES = [(5000, 0), (300, 4000), (70_000, 131)]


def summed(kind: str, size: int) -> Any:
    """Return the sum that is added to zeros, in float64."""
    total = np.zeros(size)
    for stream, weight in TERMS:
        if kind == "of low rank":
            drawn = draw(stream, "normal", range(2 * 1071), "float64")
            left, right = drawn[:2000].reshape(1000, 2), drawn[2000:].reshape(71, 2)
            total += weight / np.sqrt(2) * (left @ right.T).reshape(-1)[:size]
            continue
        z = draw(stream, "normal", range(size), "float64")
        hit = np.ones(size)
        if "rate" in KINDS[kind]:
            hit[:] = 0
            hit[mask(stream, KINDS[kind]["rate"], size)] = 1
        total += weight * z * hit
    return total


@pytest.mark.parametrize("kind", KINDS)
def test_the_sum_is_that_of_the_draws(kind: str) -> None:
    expected = summed(kind, 3000)
    assert np.count_nonzero(expected) > 100
    for dtype, close in (("float64", 1e-13), ("float32", 2e-6)):
        made = np.zeros(3000, dtype)
        apply(made, WeightedSum(terms=TERMS, **KINDS[kind]), ROUND, dtype=dtype)
        np.testing.assert_allclose(made, expected, rtol=0, atol=close)


@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
@pytest.mark.parametrize("dtype", sorted(DTYPES))
@pytest.mark.parametrize("kind", KINDS)
def test_numba_writes_what_numpy_writes_however_it_is_cut(kind: str, dtype: str, rounding: Any) -> None:
    pytest.importorskip("numba")
    change = WeightedSum(terms=TERMS, rounding=rounding, **KINDS[kind])
    for size, start in PLACES:
        before = any_patterns(size, dtype, start)
        whole, compiled, cut = before.copy(), before.copy(), before.copy()
        apply(whole, change, ROUND, dtype=dtype, start=start, backend="numpy")
        apply(compiled, change, ROUND, dtype=dtype, start=start, backend="numba")
        middle = size // 3
        apply(cut[:middle], change, ROUND, dtype=dtype, start=start, backend="numba")
        apply(cut[middle:], change, ROUND, dtype=dtype, start=start + middle, backend="numpy")
        assert not np.array_equal(whole, before)
        assert compiled.tobytes() == whole.tobytes() == cut.tobytes(), (size, start)


def test_threads_change_no_bit() -> None:
    pytest.importorskip("numba")
    from genewright.noise.compiled import add_sum

    one, many = (np.zeros(100_000, np.float32) for _ in range(2))
    add_sum(one, TERMS, None, None, "float32", 77, threads=1)
    add_sum(many, TERMS, None, None, "float32", 77, threads=3, parallel=1 << 10)
    assert one.any()
    assert one.tobytes() == many.tobytes()


def test_a_shard_changes_as_in_the_whole() -> None:
    for kind in ("dense", "of low rank"):
        change = WeightedSum(terms=TERMS, **KINDS[kind])
        whole, part = np.zeros((1000, 71), np.float32), np.zeros((10, 20), np.float32)
        apply(whole.reshape(-1), change, ROUND, dtype="float32")
        apply_shard(part, change, ROUND, dtype="float32", shape=(1000, 71), offset=(500, 30))
        assert part.tobytes() == np.ascontiguousarray(whole[500:510, 30:50]).tobytes(), kind


def test_what_nothing_is_added_to_stays_minus_zero_and_nan() -> None:
    values = np.full(10_000, -0.0, np.float32)
    values[:100] = np.nan
    before, undo = values.copy(), []
    apply(values, WeightedSum(terms=TERMS, rate=0.01), ROUND, dtype="float32", journal=undo.append)
    touched = values.view(np.uint32) != before.view(np.uint32)
    hit = np.unique(np.concatenate([mask(stream, 0.01, 10_000) for stream, weight in TERMS if weight]))
    assert np.array_equal(np.flatnonzero(touched), hit[hit >= 100])
    undo[0].restore(values)
    assert values.tobytes() == before.tobytes()


def test_stochastic_rounding_keeps_small_updates_of_bfloat16() -> None:
    """At a step of 1e-5 nearest loses most of it, in weights of standard deviation 0.02."""
    size = 200_000
    weights = from_float32(np.float32(0.02) * draw(ROUND, "normal", range(size)).astype(np.float32))
    step = WeightedSum(terms=((TERMS[0][0], 1e-5),))
    z = draw(TERMS[0][0], "normal", range(size), "float64")
    kept = {}
    for rounding in ("nearest", "stochastic"):
        made = weights.copy()
        apply(made, WeightedSum(terms=step.terms, rounding=rounding), ROUND, dtype="bfloat16")
        moved = to_float32(made).astype(float) - to_float32(weights)
        kept[rounding] = float(moved @ z / (1e-5 * z @ z))
    assert kept["nearest"] < 0.5
    assert abs(kept["stochastic"] - 1) < 0.05


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"terms": ((ROUND, float("inf")),)}, "finite"),
        ({"terms": (), "decay": float("nan")}, "finite"),
        ({"terms": (), "rate": 1.5}, "rate"),
        ({"terms": (), "rank": 0}, "rank is at least 1"),
        ({"terms": (), "rank": 1, "rate": 0.5}, "goes with rate=1"),
        ({"terms": (), "rounding": "up"}, "'nearest' or 'stochastic'"),
    ],
)
def test_bad_settings_are_refused(settings: Any, words: str) -> None:
    with pytest.raises(gw.SettingError, match=words):
        WeightedSum(**settings)


def test_an_addend_of_another_length_or_type_is_refused() -> None:
    for addend in (np.zeros(3, np.float32), np.zeros(4, np.float64)):
        with pytest.raises(gw.SettingError, match="as many of their computing type"):
            add_rounded(np.zeros(4, np.float32), addend, None, dtype="float32")
