"""The loop over the hit elements.

At low rates the hits of many blocks are gathered into a small buffer, changed there, and scattered back in ascending
order. At high rates whole blocks are changed in the buffer, and only the hits are copied back.
"""

from typing import Any, NamedTuple

import numpy as np

from genewright.machine_code.bits import kernel, trailing_zeros, wide
from genewright.noise.compiled.call import BLOCK, COUNTS, FULL, WRITTEN
from genewright.noise.compiled.kernels.draws import U
from genewright.noise.compiled.kernels.hits import count_bits, mark, quantile
from genewright.noise.compiled.kernels.job import change_run, change_scattered

EVERYWHERE = U(0xFFFFFFFFFFFFFFFF)


class Mask(NamedTuple):
    """Which elements are hit.

    Args:
        counting: The stream of the numbers of hits.
        placing: The stream of the positions.
        table: The thresholds of the binomial quantile.
        guide: Where in it to begin, by the top eight bits.
        below: How many thresholds are 0.
        complement: Whether the drawn positions are the misses.
        crowded: Whether to change whole blocks and copy the hits.
    """

    counting: Any
    placing: Any
    table: Any
    guide: Any
    below: Any
    complement: Any
    crowded: Any


class Finding(NamedTuple):
    """Scratch space for finding the hits.

    Args:
        waiting: Places that have been found, uint64: FULL + BLOCK of them.
        bitmap: A bit per place of a block, uint64, all 0.
        draws: 2,048 draws of 12 bits, uint16.
        bits: COUNTS times 64 random bits.
    """

    waiting: Any
    bitmap: Any
    draws: Any
    bits: Any


@kernel
def collect(waiting: Any, filled: Any, bitmap: Any, used: Any, complement: Any, origin: Any, size: Any) -> Any:
    """Append the places of a block's hits that are inside [0, size), empty the bitmap, return the new length."""
    whole = origin >= 0 and origin + BLOCK <= size
    while used:
        at = trailing_zeros(used)
        used &= used - U(1)
        word = ~bitmap[at] if complement else bitmap[at]
        bitmap[at] = U(0)
        base = origin + np.int64(at * U(64))
        if whole:
            while word:
                waiting[U(filled)] = U(base) + trailing_zeros(word)
                word &= word - U(1)
                filled += 1
        else:
            while word:
                place = base + np.int64(trailing_zeros(word))
                word &= word - U(1)
                if place >= 0 and place < size:
                    waiting[U(filled)] = U(place)
                    filled += 1
    return filled


@kernel
def copy_block(values: Any, at: Any, out: Any) -> None:
    """Copy the block that begins at `at` out."""
    wide()
    start = U(at)
    for i in range(BLOCK):
        out[U(i)] = values[start + U(i)]


@kernel
def copy_hits(values: Any, at: Any, made: Any, bitmap: Any, complement: Any) -> None:
    """Copy the hit ones of a block's new values, and empty the bitmap."""
    wide()
    for half in range(128):
        word = np.uint32(bitmap[U(half >> 1)] >> U(32 * (half & 1)))
        if complement:
            word = np.uint32(~word)
        start = U(at + 32 * half)
        for i in range(32):
            hit = np.uint32(word >> np.uint32(i)) & np.uint32(1)
            new, old = made[U(32 * half + i)], values[start + U(i)]
            values[start + U(i)] = new if hit else old
    for place in range(64):
        bitmap[U(place)] = U(0)


@kernel
def gather(values: Any, places: Any, count: Any, out: Any) -> None:
    """Copy values[places] out."""
    for i in range(count):
        out[U(i)] = values[places[U(i)]]


@kernel
def scatter(values: Any, places: Any, count: Any, made: Any) -> None:
    """Copy the new values back to their places."""
    for i in range(count):
        values[places[U(i)]] = made[U(i)]


@kernel
def note(journal: Any, written: Any, places: Any, values: Any, count: Any) -> None:
    """Append places and values to the journal: uint32 places, uint64 ones, or none."""
    short, long, olds = journal
    if len(short):
        for i in range(count):
            short[U(written + i)] = np.uint32(places[U(i)])
    elif len(long):
        for i in range(count):
            long[U(written + i)] = places[U(i)]
    if len(olds):
        for i in range(count):
            olds[U(written + i)] = values[U(i)]


@kernel
def sparse(values: Any, first: Any, job: Any, mask: Any, buffers: Any, finding: Any, journal: Any, told: Any) -> None:
    """Change the hit values; each is noted, and counted as noted, before it is changed.

    Args:
        values: Patterns: uint16, uint32 or uint64.
        first: The index of the first value, uint64.
        job: What to do.
        mask: Where.
        buffers: Scratch space for FULL + BLOCK values.
        finding: Scratch space for the places.
        journal: Where to note them with their values (a crowded mask keeps no journal).
        told: The words of the call, in which WRITTEN says how many are noted.
    """
    size = np.int64(len(values))
    waiting, bitmap, draws, bits = finding
    block, end = first >> U(12), (first + U(size) + U(BLOCK - 1)) >> U(12)
    filled, written, made, taken = 0, 0, 0, 0
    while block < end:
        if taken == made:
            made, taken = min(np.int64(end - block), COUNTS), 0
            count_bits(bits, block, made, mask.counting)
        hits = quantile(bits[U(taken)], mask.table, mask.guide, mask.below)
        used = mark(bitmap, hits, block, mask.placing, draws)
        origin = np.int64(block * U(BLOCK) - first)
        taken += 1
        block += U(1)
        if mask.crowded and origin >= 0 and origin + BLOCK <= size:
            copy_block(values, origin, buffers.gathered)
            change_run(buffers.gathered, 0, BLOCK, job, buffers, (block - U(1)) * U(32), 0)
            copy_hits(values, origin, buffers.gathered, bitmap, mask.complement)
        else:
            used = EVERYWHERE if mask.complement else used
            filled = collect(waiting, filled, bitmap, used, mask.complement, origin, size)
        if filled >= FULL or block == end:
            gather(values, waiting, filled, buffers.gathered)
            note(journal, written, waiting, buffers.gathered, filled)
            written += filled
            told[WRITTEN] = U(written)
            change_scattered(filled, job, buffers, waiting, first)
            scatter(values, waiting, filled, buffers.gathered)
            filled = 0
