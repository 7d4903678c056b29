# pyright: basic, reportMissingImports=false, reportGeneralTypeIssues=false, reportAssignmentType=false
# pyright: reportArgumentType=false, reportIndexIssue=false
# Triton functions are a language of their own in Python syntax: their values have no Python types.
"""The kernel of sums: one program per block of 4,096 elements sums the noise of all streams, then meets the weights."""

from typing import Any

import triton
import triton.language as tl

from genewright.noise.cuda.draws import encode, quarter, words
from genewright.noise.cuda.rounding import nearest, stochastic, widen
from genewright.noise.cuda.steps import magnitude, signed

jit: Any = triton.jit


@jit
def summed(total, word, unit, table, kind: tl.constexpr):
    """Add s z to a sum: the sign goes on between product and sum."""
    code = encode(word, table, "normal")
    size = magnitude(code, "normal", kind) * tl.abs(unit).to(kind)
    code = tl.where(unit < 0, code ^ 0x80000000, code)
    return total + signed(size, code, kind)


@jit
def met(old, total, other, dtype: tl.constexpr, randomly: tl.constexpr, unsigned: tl.constexpr):
    """Return the patterns of w + total: `reference.add_sum`."""
    if dtype == "float64":
        w = old.to(tl.float64, bitcast=True)
    elif dtype == "float32":
        w = old.to(tl.float32, bitcast=True)
    else:
        w = widen(old.to(tl.uint32), dtype)
    r = w + total
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
    return tl.where(w != w, old.to(made.dtype), made).to(unsigned)


@jit
def sum_kernel(
    values,
    size,
    start,
    first_block,
    streams,
    units,
    count,
    addend,
    rounding,
    table,
    added: tl.constexpr,
    dtype: tl.constexpr,
    randomly: tl.constexpr,
    unsigned: tl.constexpr,
):
    """Change values[0 : size], whose first index is `start`.

    `streams` holds four uint32 patterns for each of `count` terms, and `rounding` four: the key, the low word of the
    tweak, and its upper word with the purpose. `units` are float64.
    """
    kind: tl.constexpr = tl.float64 if dtype == "float64" else tl.float32
    lane = tl.arange(0, 1024)
    inside = (lane >> 5) * 128 + (lane & 31)
    block = tl.program_id(0).to(tl.int64) + first_block
    counter = block * 1024 + lane
    low, high = counter.to(tl.uint32), (counter >> 32).to(tl.uint32)
    place = block * 4096 + inside - start
    nothing = tl.zeros([1024], kind) * -1.0
    if added:
        s0 = tl.load(addend + place, mask=(place >= 0) & (place < size), other=0.0)
        s1 = tl.load(addend + place + 32, mask=(place + 32 >= 0) & (place + 32 < size), other=0.0)
        s2 = tl.load(addend + place + 64, mask=(place + 64 >= 0) & (place + 64 < size), other=0.0)
        s3 = tl.load(addend + place + 96, mask=(place + 96 >= 0) & (place + 96 < size), other=0.0)
    else:
        s0, s1, s2, s3 = nothing, nothing, nothing, nothing
    for term in range(count):
        unit = tl.load(units + term)
        a, b, c, d = words(low, high, streams + 4 * term)
        s0 = summed(s0, a, unit, table, kind)
        s1 = summed(s1, b, unit, table, kind)
        s2 = summed(s2, c, unit, table, kind)
        s3 = summed(s3, d, unit, table, kind)
    if randomly:
        e, f, g, h = words(low, high, rounding)
    else:
        e, f, g, h = low, low, low, low
    for part in tl.static_range(4):
        total, other = quarter(part, s0, s1, s2, s3), quarter(part, e, f, g, h)
        local = place + 32 * part
        hit = (local >= 0) & (local < size)
        old = tl.load(values + local, mask=hit, other=0).to(unsigned, bitcast=True)
        new = met(old, total, other, dtype, randomly, unsigned)
        tl.store(values + local, new.to(values.dtype.element_ty, bitcast=True), mask=hit)
