"""`apply` by compiled kernels: cut the tensor into one part per thread, run the driver on each, keep the journal."""

import os
import struct
from array import array
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from threading import Thread, local
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genewright.noise.binomial import thresholds
from genewright.noise.change import Change
from genewright.noise.compiled import call
from genewright.noise.compiled.call import BLOCK
from genewright.noise.compiled.machine_code import kernel
from genewright.noise.distributions import FRACTION_BITS
from genewright.noise.key import Stream
from genewright.noise.lognormal import multiplier
from genewright.noise.masks import hits
from genewright.noise.undo import Undo, sparse_pays
from genewright.noise.words import Purpose

PARALLEL: Final = 1 << 18
"""Two threads' work, in elements (at low rates a hit counts as eight): with less, starting a thread does not pay."""

CROWDED: Final = 0.35
"""The rate above which whole blocks are changed and the hits copied."""

_KEPT: Final = local()

Words = list[int]
"""What a kernel is told, as `call` orders it."""


def apply(
    values: NDArray[Any],
    change: Change,
    stream: Stream,
    dtype: str,
    start: int,
    journal: bool,
    threads: int | None = None,
    parallel: int = PARALLEL,
) -> Undo | None:
    """Change the values in place (arguments as `engine.apply` has checked them)."""
    kernel(f"{'dense' if change.rate == 1 else 'sparse'}{8 * values.itemsize}")  # before a byte changes
    work = len(values) if change.rate == 1 else int(min(change.rate * 8, 1) * len(values))
    parts = _parts(len(values), start, min(threads or _cores(), max(work * 2 // parallel, 1)))
    flips = _flips(change, values.itemsize)
    words = _described(change, stream, dtype, flips)
    if change.rate == 1:
        old = values.copy() if journal else None
        _run([lambda a=a, b=b: _call("dense", values[a:b], start + a, words) for a, b in parts])
        return None if old is None else Undo(None, old, len(values))
    return _sparse(values, change, stream, start, journal, parts, words)


def mask(stream: Stream, rate: float, start: int, stop: int) -> NDArray[np.int64]:
    """Return the sorted hits inside [start, stop), for a rate in (0, 1): what `noise.mask` returns."""
    run, words = kernel("places"), [0] * call.WORDS
    out = np.empty(_room(stream, rate, start, stop), np.uint64)
    tables = _quantiles(rate)  # held here while the kernel reads them
    _describe_mask(words, rate, stream, tables)
    words[call.FIRST], words[call.SIZE] = start, stop - start
    words[call.PLACES], words[call.PLACES_SIZE] = _address(out), len(out)
    words[call.SCRATCH] = _scratch()
    told = array("Q", words)
    run(told.buffer_info()[0])
    return out[: told[call.WRITTEN]].view(np.int64) + start


def _sparse(
    values: NDArray[Any],
    change: Change,
    stream: Stream,
    start: int,
    journal: bool,
    parts: list[tuple[int, int]],
    words: Words,
) -> Undo | None:
    tables = _quantiles(change.rate)  # held here while the kernels read them
    _describe_mask(words, change.rate, stream, tables)
    if not (journal and sparse_pays(change.rate, values)):
        old = values.copy() if journal else None
        words[call.CROWDED] = int(change.rate > CROWDED and words[call.OPERATION] != call.FLIP)
        _run([lambda a=a, b=b: _call("sparse", values[a:b], start + a, words) for a, b in parts])
        return None if old is None else Undo(None, old, len(values))
    room = [_room(stream, change.rate, start + a, start + b) for a, b in parts]
    ends = np.cumsum([0, *room]).tolist()
    hit = np.empty(ends[-1], np.uint32 if len(values) < 1 << 32 else np.uint64)
    olds = np.empty(ends[-1], values.dtype)
    written = [0] * len(parts)

    def run(part: int) -> None:
        (a, b), (low, high) = parts[part], (ends[part], ends[part + 1])
        written[part] = _call("sparse", values[a:b], start + a, words, hit[low:high], olds[low:high])
        hit[low : low + written[part]] += hit.dtype.type(a)

    _run([lambda part=part: run(part) for part in range(len(parts))])
    filled = [slice(low, low + count) for low, count in zip(ends, written, strict=False)]
    return Undo(
        np.concatenate([hit[part] for part in filled]), np.concatenate([olds[part] for part in filled]), len(values)
    )


def _call(
    name: str,
    values: NDArray[Any],
    first: int,
    words: Words,
    places: NDArray[Any] | None = None,
    olds: NDArray[Any] | None = None,
) -> int:
    """Run a kernel on a part of the values; return how many hits it noted."""
    told = array("Q", words)  # each thread has its own
    told[call.VALUES], told[call.SIZE], told[call.FIRST] = _address(values), len(values), first
    told[call.SCRATCH] = _scratch()
    if places is not None and olds is not None:
        told[call.PLACES], told[call.PLACES_SIZE], told[call.PLACES_WIDE] = (
            _address(places),
            len(places),
            int(places.itemsize == 8),
        )
        told[call.OLDS], told[call.OLDS_SIZE] = _address(olds), len(olds)
    kernel(f"{name}{8 * values.itemsize}")(told.buffer_info()[0])
    return told[call.WRITTEN]


def _described(change: Change, stream: Stream, dtype: str, flips: NDArray[Any]) -> Words:
    """Return the words of a change, which are the same for all parts of a tensor."""
    words = [0] * call.WORDS
    computing = np.float64 if dtype == "float64" else np.float32
    flipping = change.combine in ("negate", "xor")
    unit = float(computing(change.scale * 2.0 ** -FRACTION_BITS.get(change.distribution, 0)))
    _put_stream(words, call.NOISE, stream, Purpose.NOISE)
    _put_stream(words, call.OTHER, stream, Purpose.BIT if flipping else Purpose.ROUND)
    words[call.OPERATION] = call.FLIP if flipping else call.OPERATIONS[change.combine]
    words[call.KIND] = call.KINDS[dtype]
    words[call.DISTRIBUTION] = call.DISTRIBUTIONS[change.distribution]
    words[call.STOCHASTIC] = int(change.rounding == "stochastic" and dtype in ("bfloat16", "float16") and not flipping)
    (words[call.UNIT],) = struct.unpack("=Q", struct.pack("=d", unit))
    words[call.MANTISSA], words[call.SHIFT] = multiplier(abs(change.scale))
    words[call.FLIPS], words[call.FLIPS_SIZE] = _address(flips), len(flips)
    return words


def _describe_mask(words: Words, rate: float, stream: Stream, tables: tuple[NDArray[Any], NDArray[Any], int]) -> None:
    """Add where the hits are."""
    table, guide, below = tables
    _put_stream(words, call.COUNTING, stream, Purpose.COUNT)
    _put_stream(words, call.PLACING, stream, Purpose.POSITION)
    words[call.TABLE], words[call.TABLE_SIZE] = _address(table), len(table)
    words[call.GUIDE], words[call.BELOW], words[call.COMPLEMENT] = _address(guide), below, int(rate > 0.5)


def _put_stream(words: Words, at: int, stream: Stream, purpose: Purpose) -> None:
    """Write a stream as four words of 32 bits: the key, and the two upper words of the counter."""
    low = 0xFFFFFFFF
    upper = stream.tweak >> 32 | int(purpose) << 24
    words[at : at + 4] = [stream.key & low, stream.key >> 32, stream.tweak & low, upper]


def _flips(change: Change, itemsize: int) -> NDArray[Any]:
    """Return the patterns to choose from when bits are flipped, of the values' width."""
    bits = (8 * itemsize - 1,) if change.combine == "negate" else change.bits if change.combine == "xor" else ()
    return np.array([1 << bit for bit in bits], f"u{itemsize}")


def _address(array: NDArray[Any]) -> int:
    return array.__array_interface__["data"][0]


def _scratch() -> int:
    """Return the address of scratch space for any kernel, which belongs to this thread and stays with it."""
    memory = getattr(_KEPT, "memory", None)
    if memory is None:
        memory = _KEPT.memory = np.empty(call.SCRATCH_BYTES + 64, np.uint8)
    return -(-_address(memory) // 64) * 64  # a vector register may begin there


@lru_cache(maxsize=64)
def _quantiles(rate: float) -> tuple[NDArray[Any], NDArray[Any], int]:
    """Return the thresholds of the number of hits, where to begin in them by the top eight bits, how many are 0."""
    below, table = thresholds(min(rate, 1 - rate))
    guide = np.searchsorted(table, np.arange(256, dtype=np.uint64) << np.uint64(56), side="right")
    return table.copy(), guide.astype(np.int64), below


def _room(stream: Stream, rate: float, start: int, stop: int) -> int:
    """Return how many hits the blocks that touch [start, stop) have."""
    first, last = start // BLOCK, -(-stop // BLOCK)
    drawn = int(hits(stream, rate, first, last).sum())
    return drawn if rate <= 0.5 else (last - first) * BLOCK - drawn


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _parts(size: int, start: int, number: int) -> list[tuple[int, int]]:
    """Cut [0, size) into that many parts of whole blocks of the full tensor."""
    edges = [size * part // number for part in range(number + 1)]
    edges[1:-1] = [min(max((start + edge) // BLOCK * BLOCK - start, 0), size) for edge in edges[1:-1]]
    return [(a, b) for a, b in pairwise(edges) if a < b]


def _run(tasks: Sequence[Callable[[], object]]) -> None:
    """Run the tasks side by side, the last one here. The first error of any is raised when all have ended."""
    errors: list[BaseException] = []

    def guarded(task: Callable[[], object]) -> None:
        try:
            task()
        except BaseException as error:
            errors.append(error)

    helpers = [Thread(target=guarded, args=(task,), daemon=True) for task in tasks[:-1]]
    for helper in helpers:
        helper.start()
    guarded(tasks[-1])
    for helper in helpers:
        helper.join()
    if errors:
        raise errors[0]
