# pyright: basic, reportMissingImports=false, reportGeneralTypeIssues=false, reportAssignmentType=false, reportArgumentType=false
# pyright: reportArgumentType=false, reportIndexIssue=false
# Triton functions are a language of their own in Python syntax: their values have no Python types.
"""Words and quantiles as Triton functions: 32 bit arithmetic only, as `words` and `quantile` define it."""

from typing import Any

import triton
import triton.language as tl

jit: Any = triton.jit


@jit
def philox(low, high, x2, x3, k0, k1):
    """Return the four words of each counter (all uint32): ten rounds of Philox4x32."""
    x0, x1 = low, high
    x2 = tl.zeros_like(low) + x2
    x3 = tl.zeros_like(low) + x3
    m0 = tl.full(low.shape, 0xD2511F53, tl.uint32)
    m1 = tl.full(low.shape, 0xCD9E8D57, tl.uint32)
    w0 = tl.full([], 0x9E3779B9, tl.uint32)
    w1 = tl.full([], 0xBB67AE85, tl.uint32)
    for _ in tl.static_range(10):
        left, right = tl.umulhi(x0, m0), tl.umulhi(x2, m1)
        x0, x1, x2, x3 = right ^ x1 ^ k0, x2 * m1, left ^ x3 ^ k1, x0 * m0
        k0 = k0 + w0
        k1 = k1 + w1
    return x0, x1, x2, x3


@jit
def parabola(entry, offset):
    """`quantile.magnitude`: entry is uint64; returns uint32."""
    low = entry.to(tl.uint32)
    curvature = (low & 1023) << 14
    slope = low - tl.umulhi(offset, curvature)
    return (entry >> 32).to(tl.uint32) - (tl.umulhi(offset, slope) >> 10)


@jit
def quantile(word, table):
    """Return (octave, magnitude) of each word."""
    tail = (word << 1) | 1
    # with the second bit of each run cleared, the conversion cannot round up to the next power of two
    alone = (tail & ~(tail >> 1)).to(tl.float32)
    octave = (alone.to(tl.uint32, bitcast=True) >> 23) - 127
    shifted = tail << (31 - octave)
    segment = octave * 64 + ((shifted >> 25) & 63)
    entry = tl.load(table + segment.to(tl.int32)).to(tl.uint64, bitcast=True)
    return octave, parabola(entry, shifted << 7)


@jit
def encode(word, table, distribution: tl.constexpr):
    """Return the code of each word: `distributions.encode`."""
    sign = word & 0x80000000
    if distribution == "constant":
        code = tl.zeros_like(word) + 1
    elif distribution == "sign":
        code = sign | 1
    elif distribution == "uniform":
        code = sign | (((word & 0x7FFFFFFF) >> 8) << 1) | 1
    elif distribution == "cauchy":
        octave, fixed = quantile(word, table)
        power = ((133 - octave) << 23).to(tl.float32, bitcast=True)
        code = sign | (fixed.to(tl.float32) * power).to(tl.uint32, bitcast=True)
    else:
        octave, fixed = quantile(word, table)
        code = sign | fixed
    return code


@jit
def words(low, high, pattern):
    """Return four random words a counter, of the stream that four uint32 patterns in memory say: key and tweak."""
    k0 = tl.load(pattern).to(tl.uint32, bitcast=True)
    k1 = tl.load(pattern + 1).to(tl.uint32, bitcast=True)
    x2 = tl.load(pattern + 2).to(tl.uint32, bitcast=True)
    x3 = tl.load(pattern + 3).to(tl.uint32, bitcast=True)
    return philox(low, high, x2, x3, k0, k1)


@jit
def quarter(part: tl.constexpr, first, second, third, fourth):
    """Return what belongs to a quarter of a block: one of four."""
    chosen = first
    if part == 1:
        chosen = second
    elif part == 2:
        chosen = third
    elif part == 3:
        chosen = fourth
    return chosen
