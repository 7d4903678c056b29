"""`apply` by compiled kernels: cut the tensor into one part per thread, run the driver on each, keep the journal."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable
from functools import lru_cache, partial
from itertools import pairwise
from math import copysign
from threading import local
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from genewright.machine_code.crew import Crew
from genewright.machine_code.memory import address_of, cores
from genewright.noise.binomial import thresholds
from genewright.noise.change import Change
from genewright.noise.compiled import call
from genewright.noise.compiled.call import BLOCK
from genewright.noise.compiled.machine_code import kernel
from genewright.noise.distributions import FRACTION_BITS
from genewright.noise.key import Stream
from genewright.noise.lognormal import multiplier
from genewright.noise.masks import hits
from genewright.noise.undo import Journal, Noted, Undo, position_type, sparse_pays
from genewright.noise.words import Purpose

PARALLEL: Final = 1 << 18
"""Two threads' work, in elements (at low rates a hit counts as eight): with less, starting a thread does not pay."""

CROWDED: Final = 0.35
"""The rate above which whole blocks are changed and the hits copied."""

FEW: Final = 16
"""Blocks for whose hits more room than they need is cheaper than drawing how many there are."""

_KEPT: Final = local()
NOISE, ROUND, BIT, COUNT, POSITION = (
    int(purpose) << 24 for purpose in (Purpose.NOISE, Purpose.ROUND, Purpose.BIT, Purpose.COUNT, Purpose.POSITION)
)

Words: TypeAlias = "array[int]"
"""What a kernel is told, as `call` orders it."""


class Quantiles(NamedTuple):
    """The number of hits of a block, by 64 random bits.

    Attributes:
        table: The thresholds above which there is one more.
        guide: Where to begin in them, by the top eight bits.
        below: How many hits there are below the first.
        table_address: Where the thresholds lie.
        guide_address: Where the guide lies.
    """

    table: NDArray[Any]
    guide: NDArray[Any]
    below: int
    table_address: int
    guide_address: int


def apply(
    values: NDArray[Any],
    change: Change,
    stream: Stream,
    dtype: str,
    start: int,
    journal: Journal | None,
    threads: int | None = None,
    parallel: int = PARALLEL,
) -> None:
    """Change the values in place (arguments as `engine.apply` has checked them)."""
    masked = change.rate < 1
    run = kernel(f"{'sparse' if masked else 'dense'}{8 * values.itemsize}")  # before a byte changes
    work = int(min(change.rate * 8, 1) * len(values)) if masked else len(values)
    most = work * 2 // parallel
    parts = parts_of(len(values), start, 1 if most < 2 else min(threads or cores(), most))
    sparse = masked and journal is not None and len(values) > BLOCK and sparse_pays(change.rate, values)
    about, flips = described(change, copysign(1, change.scale), dtype, values.itemsize)
    words, tables = about[:], None
    put_stream(words, call.NOISE, stream, NOISE)
    if (flipping := words[call.OPERATION] == call.FLIP) or words[call.STOCHASTIC]:
        put_stream(words, call.OTHER, stream, BIT if flipping else ROUND)
    if masked:
        tables = _quantiles(change.rate)
        _describe_mask(words, change.rate, stream, tables)
        words[call.CROWDED] = int(change.rate > CROWDED and not flipping and not sparse)
    told, held = _told(words, values, start, parts), (values, flips, tables)
    crew = Crew([partial(run_kernel, run, each, held) for each in told]) if len(told) > 1 else None
    if journal is not None:
        if sparse:
            room = [_room(stream, change.rate, start + a, start + b) for a, b in parts]
            old = [_noted(one, values[a:b], a, r) for one, (a, b), r in zip(told, parts, room, strict=True)]
        else:
            old = [Noted(0, values.copy())]
        journal(Undo(len(values), values.dtype, old, None if crew is None else crew.settle))
    if crew is not None:
        crew.run()
    else:
        run_kernel(run, told[0], held)


def mask(stream: Stream, rate: float, start: int, stop: int) -> NDArray[np.int64]:
    """Return the sorted hits inside [start, stop), for a rate in (0, 1): what `noise.mask` returns."""
    run, told = kernel("places"), array("Q", bytes(8 * call.WORDS))
    out = np.empty(_room(stream, rate, start, stop), np.uint64)
    tables = _quantiles(rate)  # held here while the kernel reads them
    _describe_mask(told, rate, stream, tables)
    told[call.FIRST], told[call.SIZE] = start, stop - start
    told[call.PLACES], told[call.PLACES_SIZE] = address_of(out), len(out)
    told[call.SCRATCH] = _scratch()
    run(told.buffer_info()[0])
    return out[: told[call.WRITTEN]].view(np.int64) + start


def _told(words: Words, values: NDArray[Any], start: int, parts: list[tuple[int, int]]) -> list[Words]:
    """Return what a kernel is told of each part of the values; of a single one in the words themselves."""
    told: list[Words] = []
    address = address_of(values)
    for a, b in parts:
        each = words[:] if len(parts) > 1 else words
        each[call.VALUES], each[call.SIZE], each[call.FIRST] = address + a * values.itemsize, b - a, start + a
        told.append(each)
    return told


def _noted(told: array[int], values: NDArray[Any], offset: int, room: int) -> Noted:
    """Make room for the hits of a part, and tell the kernel, which fills it.

    The kernel notes hits, then counts them, and only then changes them, some thousand at a time. Python sees the
    memory before the kernel has begun or after it has ended, since nothing interrupts a call into machine code.
    """
    places, olds = np.empty(room, position_type(values)), np.empty(room, values.dtype)
    told[call.PLACES], told[call.PLACES_SIZE], told[call.PLACES_WIDE] = (
        address_of(places),
        room,
        int(places.itemsize == 8),
    )
    told[call.OLDS], told[call.OLDS_SIZE] = address_of(olds), room
    return Noted(offset, olds, places, np.frombuffer(told, np.uint64)[call.WRITTEN : call.WRITTEN + 1])


def run_kernel(run: Callable[[int], None], told: array[int], held: object) -> None:
    """Run a kernel; `held` is what the addresses that it is told belong to."""
    told[call.SCRATCH] = _scratch()  # of the thread that runs it
    run(told.buffer_info()[0])


@lru_cache(maxsize=256)
def described(change: Change, sign: float, dtype: str, itemsize: int) -> tuple[Words, NDArray[Any]]:
    """Return the words of a change, which are the same for all tensors of a dtype, and the patterns that they tell of.

    The sign of the scale is asked for besides: changes with 0.0 and -0.0 are equal, and do not give the same bytes.
    """
    flips = _flips(change, itemsize)
    words = array("Q", bytes(8 * call.WORDS))
    computing = np.float64 if dtype == "float64" else np.float32
    flipping = change.combine in ("negate", "xor")
    unit = float(computing(change.scale * 2.0 ** -FRACTION_BITS.get(change.distribution, 0)))
    words[call.OPERATION] = call.FLIP if flipping else call.OPERATIONS[change.combine]
    words[call.KIND] = call.KINDS[dtype]
    words[call.DISTRIBUTION] = call.DISTRIBUTIONS[change.distribution]
    words[call.STOCHASTIC] = int(change.rounding == "stochastic" and dtype in ("bfloat16", "float16") and not flipping)
    (words[call.UNIT],) = struct.unpack("=Q", struct.pack("=d", unit))
    words[call.MANTISSA], words[call.SHIFT] = multiplier(abs(change.scale))
    words[call.FLIPS], words[call.FLIPS_SIZE] = address_of(flips), len(flips)
    return words, flips


def _describe_mask(words: Words, rate: float, stream: Stream, tables: Quantiles) -> None:
    """Add where the hits are."""
    put_stream(words, call.COUNTING, stream, COUNT)
    put_stream(words, call.PLACING, stream, POSITION)
    words[call.TABLE], words[call.TABLE_SIZE] = tables.table_address, len(tables.table)
    words[call.GUIDE], words[call.BELOW], words[call.COMPLEMENT] = tables.guide_address, tables.below, int(rate > 0.5)


def put_stream(words: Words, at: int, stream: Stream, purpose: int) -> None:
    """Write a stream as four words of 32 bits: the key, and the two upper words of the counter."""
    key, tweak = stream.key, stream.tweak
    words[at], words[at + 1], words[at + 2] = key & 0xFFFFFFFF, key >> 32, tweak & 0xFFFFFFFF
    words[at + 3] = tweak >> 32 | purpose


def _flips(change: Change, itemsize: int) -> NDArray[Any]:
    """Return the patterns to choose from when bits are flipped, of the values' width."""
    bits = (8 * itemsize - 1,) if change.combine == "negate" else change.bits if change.combine == "xor" else ()
    return np.array([1 << bit for bit in bits], f"u{itemsize}")


def _scratch() -> int:
    """Return the address of scratch space for any kernel, which belongs to this thread and stays with it."""
    address: int | None = getattr(_KEPT, "address", None)
    if address is None:
        memory = _KEPT.memory = np.empty(call.SCRATCH_BYTES + 64, np.uint8)
        address = _KEPT.address = -(-address_of(memory) // 64) * 64  # a vector register may begin there
    return address


@lru_cache(maxsize=64)
def _quantiles(rate: float) -> Quantiles:
    below, table = thresholds(min(rate, 1 - rate))
    guide = np.searchsorted(table, np.arange(256, dtype=np.uint64) << np.uint64(56), side="right").astype(np.int64)
    table = table.copy()
    return Quantiles(table, guide, below, address_of(table), address_of(guide))


def _room(stream: Stream, rate: float, start: int, stop: int) -> int:
    """Return a number of hits that [start, stop) does not exceed: that of the blocks which touch it.

    Of a few blocks it is the highest number that 64 random bits can give, which costs no draw.
    """
    first, last = start // BLOCK, -(-stop // BLOCK)
    if last - first <= FEW:
        tables = _quantiles(rate)
        each = tables.below + len(tables.table) if rate <= 0.5 else BLOCK - tables.below
        return min((last - first) * each, stop - start)
    drawn = int(hits(stream, rate, first, last).sum())
    return min(drawn if rate <= 0.5 else (last - first) * BLOCK - drawn, stop - start)


def parts_of(size: int, start: int, number: int) -> list[tuple[int, int]]:
    """Cut [0, size) into that many parts of whole blocks of the full tensor."""
    if number == 1:
        return [(0, size)] if size else []
    edges = [size * part // number for part in range(number + 1)]
    edges[1:-1] = [min(max((start + edge) // BLOCK * BLOCK - start, 0), size) for edge in edges[1:-1]]
    return [(a, b) for a, b in pairwise(edges) if a < b]
