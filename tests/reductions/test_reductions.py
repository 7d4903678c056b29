"""Compiled reductions are those of NumPy in float64, whatever the layout, and the same to the bit on any threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from genewright.backends.torch.observing import reductions
from genewright.backends.torch.observing.chunk import TorchChunk
from genewright.reductions import reduction
from genewright.reductions.chunk import AskedByLayer
from genewright.reductions.reduction import Reduction, reduced_at_once

pytest.importorskip("numba")

ALL: list[Reduction] = [
    *(("sums", 0.0), ("squares", 0.0), ("distances", 0.0), ("distances", 0.3), ("lowest", 0.0), ("highest", 0.0)),
    *(("above", 0.1), ("above", -1.0), ("equal", 0.0), ("equal", 0.1)),
]


def plain(values: NDArray[Any], unit_axis: int) -> dict[Reduction, NDArray[np.float64]]:
    wide = np.moveaxis(values, unit_axis, -1).reshape(-1, values.shape[unit_axis]).astype(np.float64)
    found: dict[str, Callable[[float], Any]] = {
        "sums": lambda _: wide.sum(0),
        "squares": lambda _: np.square(wide).sum(0),
        "distances": lambda number: np.abs(wide - number).sum(0),
        "lowest": lambda _: wide.min(0),
        "highest": lambda _: wide.max(0),
        "above": lambda number: (wide > number).sum(0),
        "equal": lambda number: (wide == number).sum(0),
    }
    return {(name, number): found[name](number) for name, number in ALL}


def drawn(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    values = np.random.default_rng(246).standard_normal(shape).astype(dtype)
    values[values < -1] = 0
    values.flat[::7] = dtype(0.1)
    return values


SHAPES = {
    "images": ((3, 50, 500), 1),
    "few positions": ((3, 500, 49), 1),
    "one position": ((70, 1000, 1), 1),
    "one unit": ((2, 1, 40_001), 1),
    "tokens": ((30, 3, 1025), 2),
    "few units": ((1, 20_003, 4), 2),
    "one row": ((1, 1, 66_000), 2),
}


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.slow)])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_what_numpy_says(shape: str, dtype: Any) -> None:
    size, unit_axis = SHAPES[shape]
    values = drawn(size, dtype)
    found, expected = reduced_at_once(values, unit_axis, ALL), plain(values, unit_axis)
    assert found is not None
    for key in ALL:
        exact = key[0] in ("lowest", "highest", "above", "equal")
        np.testing.assert_allclose(found[key], expected[key], rtol=0 if exact else 1e-13, atol=0 if exact else 1e-10)


@pytest.mark.parametrize("shape", ["images", "tokens", "few units"])
def test_the_number_of_threads_changes_no_bit(shape: str) -> None:
    size, unit_axis = SHAPES[shape]
    values = drawn(size, np.float32)
    one = reduced_at_once(values, unit_axis, ALL, 1)
    for threads in (2, 3, 7):
        several = reduced_at_once(values, unit_axis, ALL, threads)
        assert one is not None
        assert several is not None
        assert all(one[key].tobytes() == several[key].tobytes() for key in ALL)


def test_views_with_gaps_are_read_where_they_lie() -> None:
    whole = drawn((12, 40, 700), np.float32)
    for view, unit_axis in ((whole[::2, 3:33, 100:], 1), (whole[1:, ::3, 50:650], 2)):
        found = reduced_at_once(view, unit_axis, ALL)
        assert found is not None
        for key, expected in plain(view, unit_axis).items():
            np.testing.assert_allclose(found[key], expected, rtol=1e-13, atol=1e-10)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_left_to_the_plain_way(bad: float) -> None:
    values = drawn((2, 8, 5000), np.float32)
    values[1, 3, 77] = bad
    assert reduced_at_once(values, 1, ALL) is None
    chunk = TorchChunk(torch.as_tensor(values), 1)
    assert chunk.nonfinite().tolist() == [0, 0, 0, 1, 0, 0, 0, 0]
    expected = values.astype(np.float64)
    np.testing.assert_array_equal(chunk.lowest(), expected.min(axis=(0, 2)))
    np.testing.assert_array_equal(chunk.highest(), expected.max(axis=(0, 2)))
    assert chunk.above(0.0)[3] == (expected[:, 3] > 0).sum()


def test_others_are_left_to_the_plain_way() -> None:
    many = drawn((4, 64, 512), np.float32)
    assert reduced_at_once(many, 1, ALL) is not None
    assert reduced_at_once(many[:1, :8], 1, ALL) is None  # few
    assert reduced_at_once(many.astype(np.float16), 1, ALL) is None
    assert reduced_at_once(many[:, ::-1], 1, ALL) is None
    assert reduced_at_once(np.broadcast_to(many[:1], many.shape), 1, ALL) is None
    assert reduced_at_once(many[..., ::2].repeat(2, 0)[:, ::2, ::2], 1, ALL) is None


def test_both_ways_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    values = torch.as_tensor(drawn((4, 64, 512), np.float32))
    at_once = reductions.reduced(values, 2, ALL)
    monkeypatch.setattr(reduction, "numba_is_installed", lambda: False)
    by_torch = reductions.reduced(values, 2, ALL)
    for key in ALL:
        np.testing.assert_allclose(at_once[key], by_torch[key], rtol=1e-13, atol=1e-10)


def test_squares_about_a_mean_far_off_keep_their_digits() -> None:
    values = (drawn((4, 64, 512), np.float32) + np.float32(1e4)).astype(np.float32)
    chunk, wide = TorchChunk(torch.as_tensor(values), 1), values.astype(np.float64)
    expected = np.square(wide - wide.mean(axis=(0, 2))[:, None]).sum(axis=(0, 2))
    np.testing.assert_allclose(chunk.spread()[1], expected, rtol=1e-10)


class Counting(TorchChunk):
    """A chunk that tells what it is made to work out."""

    made: ClassVar[list[list[str]]] = []

    def reduce(self, wanted: list[Reduction]) -> dict[Reduction, NDArray[np.float64]]:
        self.made.append([name for name, _ in wanted])
        return super().reduce(wanted)


def test_values_are_read_once_from_the_second_layer_on() -> None:
    values, layers = torch.randn(4, 8, 6), AskedByLayer()

    def measured(*layer: str) -> list[list[str]]:
        Counting.made.clear()
        chunk = Counting(values, 1, asked=layers.of(layer))
        chunk.sums()
        chunk.above(0.5)
        chunk.spread()
        return list(Counting.made)

    assert measured("first") == [["sums"], ["above"], ["squares"]]
    for layer in ("first", "second", "second", "third", "first"):
        assert measured(layer) == [["sums", "above", "squares"]], layer


def test_a_guess_is_made_once() -> None:
    layers, values = AskedByLayer(), torch.randn(4, 8, 6)
    TorchChunk(values, 1, asked=layers.of(("first",))).highest()
    for expected in (["sums", "highest"], ["sums"]):
        Counting.made.clear()
        Counting(values, 1, asked=layers.of(("second",))).sums()
        assert Counting.made == [expected]
