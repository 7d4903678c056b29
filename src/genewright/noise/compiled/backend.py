"""`apply` by compiled kernels: cut the tensor into one part per thread, run the driver on each, keep the journal."""

import os
from collections.abc import Callable
from functools import cache, lru_cache
from itertools import pairwise
from threading import Thread
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genewright.noise.backends import patiently
from genewright.noise.binomial import BLOCK, thresholds
from genewright.noise.change import Change
from genewright.noise.compiled.combine import KINDS, OPERATIONS
from genewright.noise.compiled.dense import dense
from genewright.noise.compiled.draws import CODES
from genewright.noise.compiled.job import FLIP, Job
from genewright.noise.compiled.places import places
from genewright.noise.compiled.sparse import Mask, sparse
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

STORED_BYTES: Final = {"float32": 4, "float64": 8, "float16": 2, "bfloat16": 2}

Words = tuple[np.uint64, np.uint64, np.uint64, np.uint64]


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
    load(dtype, sparsely=change.rate < 1)
    patterns = values.view(f"u{values.itemsize}")
    job = _job(patterns, change, stream, dtype)
    work = len(values) if change.rate == 1 else int(min(change.rate * 8, 1) * len(values))
    parts = _parts(len(values), start, min(threads or _cores(), max(work * 2 // parallel, 1)))
    if change.rate == 1:
        old = values.copy() if journal else None
        _run([lambda a=a, b=b: dense(patterns[a:b], np.uint64(start + a), job) for a, b in parts])
        return None if old is None else Undo(None, old, len(values))
    return _sparse(values, patterns, change, stream, start, journal, parts, job)


@cache
def load(dtype: str, *, sparsely: bool) -> None:
    """Load the kernels of one dtype into the process, or compile them if they are not in Numba's cache.

    Args:
        dtype: "float32", "float64", "float16" or "bfloat16".
        sparsely: The kernels for rates below 1, or those for rate 1.
    """
    stream, change = Stream(key=0, tweak=0), Change(combine="add", rate=0.5)
    empty = np.empty(0, f"u{STORED_BYTES[dtype]}")
    job = _job(empty, change, stream, dtype)

    def run() -> None:
        if sparsely:
            sparse(empty, np.uint64(0), job, _mask(change, stream, job, kept=False), np.empty(0, np.uint32), empty)
        else:
            dense(empty, np.uint64(0), job)

    patiently(run)


def _sparse(
    values: NDArray[Any],
    patterns: NDArray[Any],
    change: Change,
    stream: Stream,
    start: int,
    journal: bool,
    parts: list[tuple[int, int]],
    job: Job,
) -> Undo | None:
    if not (journal and sparse_pays(change.rate, values)):
        old = values.copy() if journal else None
        mask, none = _mask(change, stream, job, kept=False), (np.empty(0, np.uint32), np.empty(0, patterns.dtype))
        _run([lambda a=a, b=b: sparse(patterns[a:b], np.uint64(start + a), job, mask, *none) for a, b in parts])
        return None if old is None else Undo(None, old, len(values))
    mask = _mask(change, stream, job, kept=True)
    room = [_room(stream, change.rate, start + a, start + b) for a, b in parts]
    ends = np.cumsum([0, *room]).tolist()
    hit = np.empty(ends[-1], np.uint32 if len(values) < 1 << 32 else np.uint64)
    olds = np.empty(ends[-1], patterns.dtype)
    written = [0] * len(parts)

    def run(part: int) -> None:
        (a, b), (low, high) = parts[part], (ends[part], ends[part + 1])
        written[part] = sparse(
            patterns[a:b],
            np.uint64(start + a),
            job,
            mask,
            hit[low:high],
            olds[low:high],
        )
        hit[low : low + written[part]] += hit.dtype.type(a)

    _run([lambda part=part: run(part) for part in range(len(parts))])
    filled = [slice(low, low + count) for low, count in zip(ends, written, strict=False)]
    return Undo(
        np.concatenate([hit[part] for part in filled]),
        np.concatenate([olds[part] for part in filled]).view(values.dtype),
        len(values),
    )


def _job(patterns: NDArray[Any], change: Change, stream: Stream, dtype: str) -> Job:
    """Return the change in machine types."""
    computing = np.float64 if dtype == "float64" else np.float32
    flips = np.zeros(1, patterns.dtype)
    if flipping := change.combine in ("negate", "xor"):
        width = 8 * patterns.dtype.itemsize
        bits = (width - 1,) if change.combine == "negate" else change.bits
        flips = np.array([1 << bit for bit in bits], patterns.dtype)
    mantissa, shift = multiplier(abs(change.scale))
    return Job(
        noise=_words(stream, Purpose.NOISE),
        other=_words(stream, Purpose.BIT if flipping else Purpose.ROUND),
        operation=FLIP if flipping else OPERATIONS[change.combine],
        kind=KINDS[dtype],
        distribution=CODES[change.distribution],
        stochastic=int(change.rounding == "stochastic" and dtype in ("bfloat16", "float16") and not flipping),
        unit=float(computing(change.scale * 2.0 ** -FRACTION_BITS.get(change.distribution, 0))),
        mantissa=np.uint64(mantissa),
        shift=np.uint64(shift),
        flips=flips,
    )


def _words(stream: Stream, purpose: Purpose) -> Words:
    """Return the stream as 32 bit words: the key, and the two upper words of the counter."""
    low = 0xFFFFFFFF
    upper = stream.tweak >> 32 | int(purpose) << 24
    return (
        np.uint64(stream.key & low),
        np.uint64(stream.key >> 32),
        np.uint64(stream.tweak & low),
        np.uint64(upper),
    )


def _mask(change: Change, stream: Stream, job: Job, kept: bool) -> Mask:
    """Return where the hits are, in machine types."""
    return Mask(
        _words(stream, Purpose.COUNT),
        _words(stream, Purpose.POSITION),
        *_quantiles(change.rate),
        crowded=int(not kept and change.rate > CROWDED and job.operation != FLIP),
    )


def mask(stream: Stream, rate: float, start: int, stop: int) -> NDArray[np.int64]:
    """Return the sorted hits inside [start, stop), for a rate in (0, 1): what `noise.mask` returns."""
    _load_places()
    out = np.empty(_room(stream, rate, start, stop), np.uint64)
    return out[: _places(out, stream, rate, start, stop)].view(np.int64) + start


def _places(out: NDArray[np.uint64], stream: Stream, rate: float, start: int, stop: int) -> int:
    where = Mask(_words(stream, Purpose.COUNT), _words(stream, Purpose.POSITION), *_quantiles(rate), crowded=0)
    return places(out, np.uint64(start), stop - start, where)


@cache
def _load_places() -> None:
    patiently(lambda: _places(np.empty(0, np.uint64), Stream(key=0, tweak=0), 0.5, 0, 0))


@lru_cache(maxsize=64)
def _quantiles(rate: float) -> tuple[Any, ...]:
    below, table = thresholds(min(rate, 1 - rate))
    guide = np.searchsorted(table, np.arange(256, dtype=np.uint64) << np.uint64(56), side="right")
    return table.copy(), guide.astype(np.int64), below, int(rate > 0.5)


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


def _run(tasks: list[Callable[[], None]]) -> None:
    """Run the tasks side by side, the last one here. The first error of any is raised when all have ended."""
    errors: list[BaseException] = []

    def guarded(task: Callable[[], None]) -> None:
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
