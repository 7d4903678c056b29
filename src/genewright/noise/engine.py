"""`apply`: the one place where a tensor's elements change, and where the backends plug in."""

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genewright.errors import SettingError, UnsupportedError
from genewright.noise import masks, reference
from genewright.noise.backends import Chooser, Name, compiled_mask, compiled_rows
from genewright.noise.change import Change
from genewright.noise.key import Stream
from genewright.noise.rounding import widen
from genewright.noise.undo import Journal, Noted, Undo
from genewright.noise.weighted_sum import LowRankSums, WeightedSum, chunks, sparse_sum

STORED: Final = {"float32": "float32", "float64": "float64", "float16": "float16", "bfloat16": "uint16"}
"""dtype -> the type of the NumPy array that holds it."""

LARGEST: Final = {name: float(np.finfo(name).max) for name in ("float32", "float64")}
"""Computing type -> its largest finite number."""

_STORED: Final = {dtype: np.dtype(name) for dtype, name in STORED.items()}

_CHOOSER: Final = Chooser()


def apply(
    values: NDArray[Any],
    change: Change | WeightedSum,
    stream: Stream,
    *,
    dtype: str,
    start: int = 0,
    size: int | None = None,
    journal: Journal | None = None,
    backend: Name | None = None,
) -> None:
    """Change the elements [start, start + len(values)) of a tensor, in place.

    The result does not depend on how a tensor is cut into calls, on the backend or on the number of
    threads.

    Args:
        values: C-contiguous, writable, of one dimension: elements of the tensor in row-major logical order.
            bfloat16 comes as uint16 bit patterns.
        change: What happens to each hit element, or a weighted sum of several streams' noise.
        stream: From `derive`; of a weighted sum, the one whose words round.
        dtype: "float32", "float64", "float16" or "bfloat16".
        start: The index, in the full tensor, of the first value.
        size: The number of elements of the full tensor; start + len(values) by default.
        journal: Called with the `Undo` before anything changes. From then on, whatever happens to this call, the
            undo's restore() brings every byte back.
        backend: "numpy", "numba", or None: Numba where it is installed and the work is worth loading it.

    Raises:
        UnsupportedError: If `values` is not an array that holds that dtype.
        SettingError: If the array's layout or a setting does not fit. Nothing has changed then.

    Example:
        >>> weights = np.zeros(4, np.float32)
        >>> change = Change(combine="add", scale=0.1)
        >>> undo = []
        >>> apply(weights, change, Stream(key=1, tweak=2), dtype="float32", journal=undo.append)
        >>> bool(weights.any())
        True
        >>> undo[0].restore(weights)
        >>> bool(weights.any())
        False
    """
    _check_values(values, dtype)
    if isinstance(change, Change):
        _check_change(change, dtype)
    end = start + len(values)
    if not 0 <= start <= end <= (end if size is None else size):
        raise SettingError(f"elements [{start}, {end}) are not inside a tensor of {size} elements")
    if not len(values) or change.idle:
        if journal is not None:
            journal(Undo(len(values), values.dtype))
        return
    if isinstance(change, WeightedSum):
        _apply_sum(values, change, stream, dtype, start, journal, backend)
        return
    if change.combine == "replace" and change.scale == 0:
        change = replace(change, distribution="constant", scale=0.0)  # +0.0, not a signed zero per element
    run = _CHOOSER.choose(backend, len(values))
    run(np.asarray(values), change, stream, dtype, start, journal)


def mask(
    stream: Stream,
    rate: float,
    size: int,
    *,
    start: int = 0,
    stop: int | None = None,
    backend: Name | None = None,
) -> NDArray[np.int64]:
    """Return the sorted positions that a change of this rate hits among the elements [start, stop) of a tensor.

    Each element is hit independently, with exactly this probability. For rates up to one half, the mask of a lower
    rate is a subset of the mask of a higher one. `masks` has the definition.

    Args:
        stream: From `derive`.
        rate: The probability of a hit, in [0, 1].
        size: The number of elements of the full tensor.
        start: First element to look at.
        stop: One past the last; the tensor's size by default.
        backend: As in `apply`.

    Returns:
        int64 positions in the full tensor, ascending.

    Raises:
        SettingError: If the rate is outside [0, 1] or NaN, or the range outside the tensor.

    Example:
        >>> stream = Stream(key=1, tweak=2)
        >>> whole = mask(stream, 0.01, 100_000)
        >>> part = mask(stream, 0.01, 100_000, start=30_000, stop=60_000)
        >>> part.tolist() == [i for i in whole.tolist() if 30_000 <= i < 60_000]
        True
    """
    start, stop = masks.check_range(rate, size, start, stop)
    if 0 < rate < 1 and start < stop and _CHOOSER.choose(backend, stop - start) is not reference.apply:
        return compiled_mask()(stream, rate, start, stop)
    return masks.mask(stream, rate, start, stop)


def apply_rows(values: NDArray[Any], change: Change, streams: NDArray[np.uint64], *, dtype: str) -> None:
    """Change many tensors of one size in place, each by a stream of its own, as `apply` changes each.

    Args:
        values: (tensors, elements), C-contiguous and writable; else as in `apply`.
        change: As in `apply`.
        streams: For each tensor a row (key, tweak), as `derive_rows` returns them.
        dtype: As in `apply`.

    Raises:
        GenewrightError: As in `apply`.

    Example:
        >>> from genewright.noise.key import derive, derive_rows
        >>> many, one = np.zeros((2, 5), np.float32), np.zeros(5, np.float32)
        >>> apply_rows(many, Change(combine="add"), derive_rows([6, 7], name="w", path="/0"), dtype="float32")
        >>> apply(one, Change(combine="add"), derive(7, name="w", path="/0"), dtype="float32")
        >>> bool((many[1] == one).all())
        True
    """
    flat = values.reshape(-1)
    _check_values(flat, dtype)
    _check_change(change, dtype)
    if len(streams) != len(values):
        raise SettingError(f"{len(values)} tensors need as many streams, got {len(streams)}")
    if not flat.size or change.idle:
        return
    whole = change.rate == 1 and not (change.combine == "replace" and change.scale == 0)
    if whole and _CHOOSER.prefers_compiled(flat.size):
        compiled_rows()(values, change, streams, dtype)
        return
    for row, (key, tweak) in zip(values, streams.tolist(), strict=True):
        apply(row, change, Stream(key=key, tweak=tweak), dtype=dtype)


def add_rounded(
    values: NDArray[Any], addend: NDArray[Any], stream: Stream | None, *, dtype: str, start: int = 0
) -> None:
    """Add numbers to the elements of a tensor, in place, each sum rounded once.

    Args:
        values: As in `apply`.
        addend: As many numbers, of the computing type.
        stream: The words for stochastic rounding of a half type; None to round to nearest.
        dtype: As in `apply`.
        start: As in `apply`.

    Example:
        >>> ones = np.full(100_000, 0x3F80, np.uint16)  # bfloat16
        >>> add_rounded(ones, np.full(100_000, 0.001, np.float32), Stream(key=1, tweak=2), dtype="bfloat16")
        >>> grown = (ones.astype(np.uint32) << 16).view(np.float32).mean(dtype=float) - 1
        >>> bool(0.00095 < grown < 0.00105)  # to nearest it would be 0
        True
    """
    _check_values(values, dtype)
    if addend.shape != values.shape or addend.dtype != (np.float64 if dtype == "float64" else np.float32):
        raise SettingError(
            f"{len(values)} numbers of {dtype} need as many of their computing type added, got {addend.dtype} of shape "
            f"{addend.shape}"
        )
    _CHOOSER.choose_sum(None, len(values))(values, (), np.ascontiguousarray(addend), stream, dtype, start)


def _apply_sum(
    values: NDArray[Any],
    change: WeightedSum,
    stream: Stream,
    dtype: str,
    start: int,
    journal: Journal | None,
    backend: Name | None,
) -> None:
    """Read and write every element once, also where masks or factors make the sum: that goes stretch by stretch."""
    kind = np.dtype(np.float64 if dtype == "float64" else np.float32)
    work = len(values) * max(1, len(change.weighed))
    run, add = _CHOOSER.choose(backend, work), _CHOOSER.choose_sum(backend, work)
    rounding = stream if change.rounding == "stochastic" else None
    if journal is not None:
        journal(Undo(len(values), values.dtype, [Noted(0, values.copy())]))
    if change.dense and not change.decay:
        add(values, change.weighed, None, rounding, dtype, start)
        return
    products = None if change.rank is None else LowRankSums(change, kind, run)
    for first, last in chunks(len(values), start):
        part, at, count = values[first:last], start + first, last - first
        if products is not None:
            total = products(at, count)
        elif change.rate < 1:
            total = sparse_sum(change, at, count, kind, run)
        else:
            total = np.full(count, -0.0, kind)
        if change.decay:
            with np.errstate(over="ignore", invalid="ignore", under="ignore"):
                total = kind.type(-change.decay) * _numbers(part, dtype) + total
        add(part, change.weighed if change.dense else (), total, rounding, dtype, at)


def _numbers(values: NDArray[Any], dtype: str) -> NDArray[Any]:
    return widen(values.view(np.uint16), dtype) if dtype in reference.HALVES else values


def _check_values(values: NDArray[Any], dtype: str) -> None:
    if dtype not in STORED:
        raise SettingError(f"dtype must be one of {', '.join(STORED)}, got {dtype!r}")
    if not isinstance(values, np.ndarray):  # pyright: ignore[reportUnnecessaryIsInstance] callers without types
        raise UnsupportedError(f"values must be a NumPy array, got {type(values).__name__}")
    if values.dtype != _STORED[dtype]:
        raise UnsupportedError(f"{dtype} values come as an array of {STORED[dtype]}, got {values.dtype}")
    if values.ndim != 1 or not values.flags.c_contiguous or not values.flags.writeable:
        raise SettingError(
            f"values must be a contiguous, writable array of one dimension, got shape {values.shape}, "
            f"strides {values.strides}, writeable={values.flags.writeable}"
        )


def _check_change(change: Change, dtype: str) -> None:
    computing = "float64" if dtype == "float64" else "float32"
    if abs(change.scale) > LARGEST[computing]:
        raise SettingError(f"scale={change.scale!r} is not finite in {computing}, in which {dtype} computes")
    width = 8 * _STORED[dtype].itemsize
    if change.bits and max(change.bits) >= width:
        raise SettingError(f"bits={change.bits!r}: {dtype} has the bits 0 to {width - 1}")
