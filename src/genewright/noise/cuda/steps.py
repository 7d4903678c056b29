# pyright: basic, reportMissingImports=false, reportGeneralTypeIssues=false, reportAssignmentType=false
# pyright: reportArgumentType=false, reportIndexIssue=false
# Triton functions are a language of their own in Python syntax: their values have no Python types.
"""Codes become steps and factors, as Triton functions. The sign goes on by XOR, after the product."""

from typing import Any

import triton
import triton.language as tl

from genewright.noise.cuda.draws import parabola

jit: Any = triton.jit


@jit
def magnitude(code, distribution: tl.constexpr, kind: tl.constexpr):
    """Return the magnitudes of codes, each rounded once to the computing type."""
    size = code & 0x7FFFFFFF
    return size.to(tl.float32, bitcast=True).to(kind) if distribution == "cauchy" else size.to(tl.int32).to(kind)


@jit
def factor(code, mantissa, shift, exp2, kind: tl.constexpr):
    """Return the log-normal factors: `lognormal.factor_parts` and `power`."""
    product = (((code & 0x7FFFFFFF).to(tl.uint64) * mantissa) >> shift).to(tl.int64)
    falling = tl.where((code >> 31) != 0, product, -product)
    falling = tl.minimum(tl.maximum(falling, -(120 << 32)), (121 << 32) - 1)
    fraction = falling.to(tl.uint32)
    entry = tl.load(exp2 + (fraction >> 26).to(tl.int32)).to(tl.uint64, bitcast=True)
    whole = parabola(entry, fraction << 6).to(tl.int32).to(kind)
    exponent = -(falling >> 32) - 28
    if tl.float64 == kind:
        made = (whole.to(tl.int64, bitcast=True) + (exponent << 52)).to(tl.float64, bitcast=True)
    else:
        bits = whole.to(tl.int32, bitcast=True) + (exponent.to(tl.int32) << 23)
        made = bits.to(tl.float32, bitcast=True)
    return made


@jit
def signed(size, code, kind: tl.constexpr):
    """Put the codes' signs on magnitudes, by XOR: what stands between a product and a sum."""
    if tl.float64 == kind:
        bits = size.to(tl.uint64, bitcast=True) ^ ((code & 0x80000000).to(tl.uint64) << 32)
    else:
        bits = size.to(tl.uint32, bitcast=True) ^ (code & 0x80000000)
    return bits.to(kind, bitcast=True)
