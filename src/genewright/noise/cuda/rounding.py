# pyright: basic, reportMissingImports=false, reportGeneralTypeIssues=false, reportAssignmentType=false
# pyright: reportArgumentType=false, reportIndexIssue=false
# Triton functions are a language of their own in Python syntax: their values have no Python types.
"""Half precision by integers, as Triton functions: `noise.rounding`."""

from typing import Any

import triton
import triton.language as tl

jit: Any = triton.jit


@jit
def widen(old, dtype: tl.constexpr):
    """Return the float32 of bfloat16 or float16 patterns (in uint32)."""
    if dtype == "bfloat16":
        bits = old << 16
    else:
        size = old & 0x7FFF
        small = (size.to(tl.int32).to(tl.float32) * 5.9604644775390625e-08).to(tl.uint32, bitcast=True)
        normal = (size << 13) + (112 << 23)
        extreme = (size << 13) + (224 << 23)
        bits = tl.where(size < 0x400, small, tl.where(size >= 0x7C00, extreme, normal)) | ((old & 0x8000) << 16)
    return bits.to(tl.float32, bitcast=True)


@jit
def nearest(bits, dtype: tl.constexpr):
    """Return the nearest half pattern of float32 patterns, ties to even."""
    if dtype == "bfloat16":
        made = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    else:
        size = bits & 0x7FFFFFFF
        half = (size.to(tl.float32, bitcast=True) + 0.5).to(tl.uint32, bitcast=True)
        small = half - (126 << 23)
        normal = (size + 0xFFF + ((size >> 13) & 1) - (112 << 23)) >> 13
        normal = tl.where(normal > 0x7C00, 0x7C00, normal)
        made = tl.where(size < (113 << 23), small, normal) | ((bits >> 16) & 0x8000)
    return made


@jit
def stochastic(bits, word, dtype: tl.constexpr):
    """Return the half pattern of float32 patterns, up with the probability of what is cut off."""
    if dtype == "bfloat16":
        up = (bits + (word & 0xFFFF)) >> 16
        made = tl.where((up & 0x7FFF) >= 0x7F80, nearest(bits, dtype), up)
    else:
        size = bits & 0x7FFFFFFF
        exponent = (size >> 23).to(tl.int32)
        significand = (size & 0x7FFFFF) | 0x800000
        significand = tl.where(exponent == 0, 0, significand)
        significand = significand >> tl.minimum(tl.maximum(94 - exponent, 0), 31).to(tl.uint32)
        small = exponent < 113
        shift = tl.where(small, tl.minimum(126 - exponent, 32), 13).to(tl.uint64)
        start = tl.where(small, significand, size - (112 << 23)).to(tl.uint64)
        one = tl.zeros_like(start) + 1
        up = ((start + (word.to(tl.uint64) & ((one << shift) - one))) >> shift).to(tl.uint32)
        made = tl.where(up >= 0x7C00, nearest(bits, dtype), up | ((bits >> 16) & 0x8000))
    return made
