"""The reference backend, in NumPy: the executable specification of `apply`, which the others repeat."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genewright.noise.change import Change
from genewright.noise.distributions import FRACTION_BITS, MAGNITUDE, SIGN, encode
from genewright.noise.key import Stream
from genewright.noise.lognormal import factor_parts, multiplier, power
from genewright.noise.masks import blocks
from genewright.noise.philox import U32, U64
from genewright.noise.rounding import narrow, widen
from genewright.noise.undo import Journal, Noted, Undo, position_type, sparse_pays
from genewright.noise.words import Purpose, words

CHUNK: Final = 1 << 16
"""Elements that are worked on at once: the temporaries stay at a few MB, whatever the tensor's size."""

HALVES: Final = ("bfloat16", "float16")
"""The dtypes that are computed in a wider one."""

FloatArray = NDArray[np.floating]


def apply(
    values: NDArray[Any], change: Change, stream: Stream, dtype: str, start: int, journal: Journal | None
) -> None:
    """Change the values in place (arguments as `engine.apply` has checked them)."""
    noted: list[Noted] | None = None
    if journal is not None:
        sparse = change.rate < 1 and sparse_pays(change.rate, values)
        undo = Undo(len(values), values.dtype, [] if sparse else [Noted(0, values.copy())])
        noted = undo.noted if sparse else None
        journal(undo)
    if change.rate == 1:
        for first in range(0, len(values), CHUNK):
            part = slice(first, min(first + CHUNK, len(values)))
            index = np.arange(part.start, part.stop, dtype=np.uint64) + np.uint64(start)
            values[part] = changed(values[part], index, change, stream, dtype)
        return
    for found in _gathered(blocks(stream, change.rate, start, start + len(values))):
        place = found - start
        old = values[place]
        if noted is not None:
            noted.append(Noted(0, old, place.astype(position_type(values))))
        values[place] = changed(old, found.astype(np.uint64), change, stream, dtype)


def _gathered(parts: Iterator[NDArray[np.int64]]) -> Iterator[NDArray[np.int64]]:
    """Join small pieces, so that NumPy's cost per call does not count."""
    waiting: list[NDArray[np.int64]] = []
    for part in parts:
        waiting.append(part)
        if sum(map(len, waiting)) >= CHUNK:
            yield np.concatenate(waiting)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)


def changed(old: NDArray[Any], index: U64, change: Change, stream: Stream, dtype: str) -> NDArray[Any]:
    """Return what the old values become: a pure function of them, their indices, the change and the stream."""
    pattern = old.view(np.dtype(f"u{old.dtype.itemsize}"))
    width = 8 * pattern.dtype.itemsize
    if change.combine == "negate":
        return (pattern ^ pattern.dtype.type(1 << (width - 1))).view(old.dtype)
    if change.combine == "xor":
        flips = np.array([1 << bit for bit in change.bits], dtype=pattern.dtype)
        if len(flips) == 1:  # nothing to draw
            return (pattern ^ flips[0]).view(old.dtype)
        word = words(stream, Purpose.BIT, index).astype(np.uint64)
        return (pattern ^ flips[word * np.uint64(len(flips)) >> np.uint64(32)]).view(old.dtype)
    half = dtype in HALVES
    before = widen(pattern, dtype) if half else old
    word = words(stream, Purpose.ROUND, index) if half and change.rounding == "stochastic" else None
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        after = combined(before, index, change, stream)
        result = _stored(after, dtype, pattern.dtype, word)
    if change.combine != "replace":
        result = np.where(np.isnan(before), pattern, result)
    return result.astype(pattern.dtype).view(old.dtype)


def add_sum(
    values: NDArray[Any],
    terms: Sequence[tuple[Stream, float]],
    addend: FloatArray | None,
    stream: Stream | None,
    dtype: str,
    start: int,
) -> None:
    """Add an array of the computing type, then the weighted noise of streams, in one sum; round once.

    Args:
        values: The elements, changed in place (arguments as `engine.apply` has checked them).
        terms: Streams, and the weights of their normal noise.
        addend: What the sum begins with; None for -0.0.
        stream: The words for stochastic rounding; None to round to nearest.
        dtype: The tensor's.
        start: The index of the first value.
    """
    half = dtype in HALVES
    kind = np.dtype(np.float64 if dtype == "float64" else np.float32)
    for first in range(0, len(values), CHUNK):
        part = slice(first, min(first + CHUNK, len(values)))
        pattern = values[part].view(np.dtype(f"u{values.dtype.itemsize}"))
        index = np.arange(part.start, part.stop, dtype=np.uint64) + np.uint64(start)
        total = np.full(len(index), -0.0, kind) if addend is None else addend[part]
        before = widen(pattern, dtype) if half else values[part]
        word = words(stream, Purpose.ROUND, index) if half and stream is not None else None
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            for one, weight in terms:
                unit = kind.type(weight * 2.0 ** -FRACTION_BITS["normal"])
                code = encode(words(one, Purpose.NOISE, index), "normal")
                size = (code & MAGNITUDE).astype(kind) * unit
                total = total + np.where((code & SIGN) != 0, -size, size)
            result = _stored(before + total, dtype, pattern.dtype, word)
        pattern[...] = np.where(np.isnan(before), pattern, result)


def _stored(after: FloatArray, dtype: str, pattern: np.dtype[Any], word: U32 | None) -> NDArray[Any]:
    """Return the patterns of numbers, rounded once; NaN is the quiet one without payload."""
    lost = np.isnan(after)
    known = np.where(lost, np.float32(0), after)
    result = narrow(known, dtype, word) if dtype in HALVES else after.view(pattern)
    return np.where(lost, _quiet_nan(dtype, pattern), result)


def combined(before: FloatArray, index: U64, change: Change, stream: Stream) -> FloatArray:
    """Return w + s z (and its kin) in the computing type, each operation rounded by itself."""
    kind = before.dtype
    if change.combine == "multiply":
        if change.distribution == "constant":
            return before * kind.type(change.scale)
        codes = encode(words(stream, Purpose.NOISE, index), "normal")
        return before * power(*factor_parts(codes, *multiplier(change.scale)), kind)
    times = np.abs(before) if change.combine == "add_relative" else None
    step = scaled(index, change, stream, kind, times)
    return step if change.combine == "replace" else before + step


def scaled(
    index: U64, change: Change, stream: Stream, kind: np.dtype[np.floating], times: FloatArray | None
) -> FloatArray:
    """Return s z, or (s z) times the array: products of magnitudes, on which the sign is then put as a bit.

    The sign between product and sum is what keeps a compiler from contracting them into one operation.
    """
    if change.distribution == "constant":
        size = np.full(index.shape, abs(change.scale), dtype=kind)
        negative = np.full(index.shape, np.copysign(1, change.scale) < 0)
    else:
        code = encode(words(stream, Purpose.NOISE, index), change.distribution)
        negative = (code & SIGN) != 0
        if change.distribution == "cauchy":
            size = (code & MAGNITUDE).view(np.float32).astype(kind) * kind.type(change.scale)
        else:
            unit = kind.type(change.scale * 2.0 ** -FRACTION_BITS[change.distribution])
            size = (code & MAGNITUDE).astype(kind) * unit
    if times is not None:
        size = size * times
    return np.where(negative, -size, size)


def _quiet_nan(dtype: str, pattern: np.dtype[Any]) -> np.unsignedinteger[Any]:
    bits = {"float64": 0x7FF8 << 48, "float32": 0x7FC00000, "bfloat16": 0x7FC0, "float16": 0x7E00}
    return pattern.type(bits[dtype])
