# pyright: basic, reportMissingImports=false, reportGeneralTypeIssues=false, reportAssignmentType=false, reportArgumentType=false
# pyright: reportArgumentType=false, reportIndexIssue=false
# Triton functions are a language of their own in Python syntax: their values have no Python types.
"""The kernel: one program per block of 4,096 elements (or a few programs that take turns, where a mask is drawn).

A masked block first finds its hits. Draw number j of 12 bits puts j into its place by an atomic minimum, so that each
place knows its first draw; the first k distinct draws are then those places whose first draw comes before the number
at which k places are taken, found by bisection. So the GPU needs no order among its threads to agree with the CPU.
"""

from typing import Any

import triton
import triton.language as tl

from genewright.noise.cuda.draws import encode, philox, quarter
from genewright.noise.cuda.rounding import nearest, stochastic, widen
from genewright.noise.cuda.steps import factor, magnitude, signed

jit: Any = triton.jit


@jit
def changed(
    old,
    word,
    other,
    unit,
    mantissa,
    shift,
    table,
    exp2,
    flips,
    combine: tl.constexpr,
    distribution: tl.constexpr,
    dtype: tl.constexpr,
    randomly: tl.constexpr,
    choices: tl.constexpr,
    unsigned: tl.constexpr,
):
    """Return the new patterns of old ones: `reference.changed`."""
    if combine == "flip":
        if choices == 1:
            made = old ^ tl.load(flips).to(unsigned, bitcast=True)
        else:
            chosen = tl.umulhi(other, tl.zeros_like(other) + choices)
            made = old ^ tl.load(flips + chosen.to(tl.int32)).to(unsigned, bitcast=True)
    else:
        kind: tl.constexpr = tl.float64 if dtype == "float64" else tl.float32
        if dtype == "float64":
            w = old.to(tl.float64, bitcast=True)
        elif dtype == "float32":
            w = old.to(tl.float32, bitcast=True)
        else:
            w = widen(old.to(tl.uint32), dtype)
        code = encode(word, table, distribution)
        if combine == "multiply":
            if distribution == "normal":
                r = w * factor(code, mantissa, shift, exp2, kind)
            else:
                r = w * (tl.zeros_like(w) + unit.to(kind))
        else:
            size = magnitude(code, distribution, kind) * tl.abs(unit).to(kind)
            code = tl.where(unit < 0, code ^ 0x80000000, code)
            if combine == "add_relative":
                size = size * tl.abs(w)
            step = signed(size, code, kind)
            r = step if combine == "replace" else w + step
        lost = r != r
        if dtype == "float64":
            made = tl.where(lost, 0x7FF8000000000000, r.to(tl.uint64, bitcast=True))
        else:
            bits = r.to(tl.uint32, bitcast=True)
            if dtype == "float32":
                made = tl.where(lost, 0x7FC00000, bits)
            else:
                made = stochastic(bits, other, dtype) if randomly else nearest(bits, dtype)
                made = tl.where(lost, 0x7FC0 if dtype == "bfloat16" else 0x7E00, made)
        if combine != "replace":
            made = tl.where(w != w, old.to(made.dtype), made)
    return made.to(unsigned)


@jit
def draw_hits(first_draw, count, block, x2, x3, k0, k1, group: tl.constexpr):
    """Fill a block's table of first draws; return the number of draws that give `count` distinct places."""
    places = tl.arange(0, 4096)
    tl.store(first_draw + places, tl.full([4096], 0x7FFFFFFF, tl.int32))
    tl.debug_barrier()
    lane = tl.arange(0, group)
    number = (lane >> 3) * 64 + (lane & 7)
    drawn = 0
    distinct = 0
    while distinct < count:
        counter = (block << 14) + drawn // 8 + lane
        low, high = counter.to(tl.uint32), (counter >> 32).to(tl.uint32)
        a, b, c, d = philox(low, high, x2, x3, k0, k1)
        base = drawn + number
        tl.atomic_min(first_draw + (a & 0xFFF).to(tl.int32), base)
        tl.atomic_min(first_draw + ((a >> 16) & 0xFFF).to(tl.int32), base + 8)
        tl.atomic_min(first_draw + (b & 0xFFF).to(tl.int32), base + 16)
        tl.atomic_min(first_draw + ((b >> 16) & 0xFFF).to(tl.int32), base + 24)
        tl.atomic_min(first_draw + (c & 0xFFF).to(tl.int32), base + 32)
        tl.atomic_min(first_draw + ((c >> 16) & 0xFFF).to(tl.int32), base + 40)
        tl.atomic_min(first_draw + (d & 0xFFF).to(tl.int32), base + 48)
        tl.atomic_min(first_draw + ((d >> 16) & 0xFFF).to(tl.int32), base + 56)
        tl.debug_barrier()
        drawn += 8 * group
        distinct = tl.sum((tl.load(first_draw + places, volatile=True) < drawn).to(tl.int32))
    taken = tl.load(first_draw + places, volatile=True)
    low_end = 0
    high_end = drawn
    while low_end < high_end:
        middle = (low_end + high_end) // 2
        if tl.sum((taken < middle).to(tl.int32)) >= count:
            high_end = middle
        else:
            low_end = middle + 1
    return low_end


@jit
def hits_of(block, x2, x3, k0, k1, thresholds, below, length):
    """Return how many positions a block draws: the number of thresholds at most its 64 bits."""
    one = tl.zeros([1], tl.int64) + block
    a, b, _, _ = philox(one.to(tl.uint32), (one >> 32).to(tl.uint32), x2, x3, k0, k1)
    bits = a.to(tl.uint64) | (b.to(tl.uint64) << 32)
    low = tl.zeros([1], tl.int32)
    high = tl.zeros([1], tl.int32) + length
    for _ in tl.static_range(13):
        middle = (low + high) // 2
        at = tl.minimum(middle, length - 1)
        passed = (tl.load(thresholds + at).to(tl.uint64, bitcast=True) <= bits) & (middle < high)
        low = tl.where(passed, middle + 1, low)
        high = tl.where(passed, high, tl.minimum(high, middle))
    return below + tl.sum(low)


@jit
def kernel(
    values,
    size,
    start,
    first_block,
    blocks,
    streams,
    unit_,
    multiplier_,
    table,
    exp2,
    flips,
    thresholds,
    below,
    length,
    scratch,
    combine: tl.constexpr,
    distribution: tl.constexpr,
    dtype: tl.constexpr,
    randomly: tl.constexpr,
    choices: tl.constexpr,
    unsigned: tl.constexpr,
    masked: tl.constexpr,
    complement: tl.constexpr,
    group: tl.constexpr,
):
    """Change values[0 : size], whose first index is `start`, block by block.

    `streams` holds six uint32 patterns: the key, the low word of the tweak, and the upper word for the noise, for
    rounding or bits, for counts and for positions (seven in all).
    """
    k0 = tl.load(streams).to(tl.uint32, bitcast=True)
    k1 = tl.load(streams + 1).to(tl.uint32, bitcast=True)
    x2 = tl.load(streams + 2).to(tl.uint32, bitcast=True)
    noise = tl.load(streams + 3).to(tl.uint32, bitcast=True)
    other = tl.load(streams + 4).to(tl.uint32, bitcast=True)
    counting = tl.load(streams + 5).to(tl.uint32, bitcast=True)
    placing = tl.load(streams + 6).to(tl.uint32, bitcast=True)
    unit = tl.load(unit_)
    mantissa = tl.load(multiplier_).to(tl.uint64, bitcast=True)
    shift = tl.load(multiplier_ + 1).to(tl.uint64, bitcast=True)
    lane = tl.arange(0, 1024)
    inside = (lane >> 5) * 128 + (lane & 31)
    first_draw = scratch + tl.program_id(0) * 4096
    turn = tl.program_id(0)
    while turn < blocks:
        block = turn.to(tl.int64) + first_block
        limit = 0
        if masked:
            count = hits_of(block, x2, counting, k0, k1, thresholds, below, length)
            limit = draw_hits(first_draw, count, block, x2, placing, k0, k1, group)
        counter = block * 1024 + lane
        low, high = counter.to(tl.uint32), (counter >> 32).to(tl.uint32)
        if distribution == "constant":
            a, b, c, d = low, low, low, low
        else:
            a, b, c, d = philox(low, high, x2, noise, k0, k1)
        if randomly or choices > 1:
            e, f, g, h = philox(low, high, x2, other, k0, k1)
        else:
            e, f, g, h = low, low, low, low
        for part in tl.static_range(4):
            word, second = quarter(part, a, b, c, d), quarter(part, e, f, g, h)
            place = inside + 32 * part
            local = block * 4096 + place - start
            hit = (local >= 0) & (local < size)
            if masked:
                early = tl.load(first_draw + place, volatile=True) < limit
                hit = hit & (early != complement)
            old = tl.load(values + local, mask=hit, other=0).to(unsigned, bitcast=True)
            new = changed(
                old,
                word,
                second,
                unit,
                mantissa,
                shift,
                table,
                exp2,
                flips,
                combine,
                distribution,
                dtype,
                randomly,
                choices,
                unsigned,
            )
            tl.store(values + local, new.to(values.dtype.element_ty, bitcast=True), mask=hit)
        tl.debug_barrier()
        turn += tl.num_programs(0)
