"""Steps meet weights: w + step, w + step abs(w), w * factor, or the step itself; for every type of tensor.

Weights are patterns too (uint32 for float32, uint64 for float64, uint16 for the half types). A weight that is NaN stays
as it is; any other NaN that arises becomes the quiet one without payload.
"""

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from genewright.machine_code.bits import (
    OPTIONS,
    double_of_u64,
    float_of_u32,
    kernel,
    u32_of_float,
    u64_of_double,
    wide,
)
from genewright.noise.compiled.call import ADD, ADD_RELATIVE, BFLOAT16, MULTIPLY, REPLACE
from genewright.noise.compiled.kernels.draws import U

V = np.uint32
TOP32, REST32, QUIET32 = V(0x80000000), V(0x7FFFFFFF), V(0x7FC00000)
TOP64, REST64, QUIET64 = U(1 << 63), U((1 << 63) - 1), U(0x7FF8 << 48)


def combine(values: Any, at: Any, steps: Any, skip: Any, count: Any, operation: Any, kind: Any, random: Any) -> None:
    """Change values[at : at + count] by steps[skip : skip + count].

    `random` holds a word per step for stochastic rounding, or nothing.
    """
    raise NotImplementedError


@overload(combine, jit_options=OPTIONS)
def _combine(values: Any, at: Any, steps: Any, skip: Any, count: Any, operation: Any, kind: Any, random: Any) -> Any:
    def single(values: Any, at: Any, steps: Any, skip: Any, count: Any, operation: Any, kind: Any, random: Any) -> None:
        _combine32(values, U(at), steps, U(skip), count, operation)

    def double(values: Any, at: Any, steps: Any, skip: Any, count: Any, operation: Any, kind: Any, random: Any) -> None:
        _combine64(values, U(at), steps, U(skip), count, operation)

    def half(values: Any, at: Any, steps: Any, skip: Any, count: Any, operation: Any, kind: Any, random: Any) -> None:
        if kind == BFLOAT16:
            _combine_bfloat16(values, U(at), steps, U(skip), count, operation, random)
        else:
            _combine_float16(values, U(at), steps, U(skip), count, operation, random)

    return {types.uint32: single, types.uint64: double, types.uint16: half}[values.dtype]


@kernel(forceinline=True)
def _after32(before: Any, step: Any, operation: Any) -> Any:
    """Return the float32 pattern of the result."""
    w, d = float_of_u32(before), float_of_u32(step)
    if operation == ADD:
        r = np.float32(w + d)
    elif operation == ADD_RELATIVE:
        product = np.float32(float_of_u32(V(step & REST32)) * float_of_u32(V(before & REST32)))
        r = np.float32(w + float_of_u32(V(u32_of_float(product) ^ V(step & TOP32))))
    elif operation == MULTIPLY:
        r = np.float32(w * d)
    else:
        r = d
    bits = QUIET32 if r != r else u32_of_float(r)
    return before if operation != REPLACE and w != w else bits


@kernel
def _combine32(values: Any, at: Any, steps: Any, skip: Any, count: Any, operation: Any) -> None:
    wide()
    if operation == ADD:
        for i in range(count):
            values[at + U(i)] = _after32(values[at + U(i)], steps[skip + U(i)], ADD)
    elif operation == ADD_RELATIVE:
        for i in range(count):
            values[at + U(i)] = _after32(values[at + U(i)], steps[skip + U(i)], ADD_RELATIVE)
    elif operation == MULTIPLY:
        for i in range(count):
            values[at + U(i)] = _after32(values[at + U(i)], steps[skip + U(i)], MULTIPLY)
    else:
        for i in range(count):
            values[at + U(i)] = _after32(values[at + U(i)], steps[skip + U(i)], REPLACE)


@kernel
def _combine64(values: Any, at: Any, steps: Any, skip: Any, count: Any, operation: Any) -> None:
    wide()
    for i in range(count):
        before, step = values[at + U(i)], steps[skip + U(i)]
        w, d = double_of_u64(before), double_of_u64(step)
        if operation == ADD:
            r = w + d
        elif operation == ADD_RELATIVE:
            product = double_of_u64(step & REST64) * double_of_u64(before & REST64)
            r = w + double_of_u64(u64_of_double(product) ^ (step & TOP64))
        elif operation == MULTIPLY:
            r = w * d
        else:
            r = d
        bits = QUIET64 if r != r else u64_of_double(r)
        values[at + U(i)] = before if operation != REPLACE and w != w else bits


@kernel(forceinline=True)
def _narrow_bfloat16(bits: Any, random: Any, stochastic: Any) -> Any:
    """`rounding.narrow`: the pattern of bfloat16, in uint32, for a float32 that is no NaN."""
    nearest = V(V(bits + V(V(0x7FFF) + V(V(bits >> V(16)) & V(1)))) >> V(16))
    if not stochastic:
        return nearest
    up = V(V(bits + V(random & V(0xFFFF))) >> V(16))
    return nearest if V(up & V(0x7FFF)) >= V(0x7F80) else up


@kernel
def _combine_bfloat16(values: Any, at: Any, steps: Any, skip: Any, count: Any, operation: Any, random: Any) -> None:
    wide()
    if len(random):
        for i in range(count):
            old = values[at + U(i)]
            bits = _after32(V(V(old) << V(16)), steps[skip + U(i)], operation)
            made = _narrow_bfloat16(bits, random[skip + U(i)], True)
            values[at + U(i)] = _keep_nan(old, bits, made, V(0x7F80), V(0x7FC0), operation)
    else:
        for i in range(count):
            old = values[at + U(i)]
            bits = _after32(V(V(old) << V(16)), steps[skip + U(i)], operation)
            made = _narrow_bfloat16(bits, V(0), False)
            values[at + U(i)] = _keep_nan(old, bits, made, V(0x7F80), V(0x7FC0), operation)


@kernel(forceinline=True)
def _keep_nan(old: Any, bits: Any, made: Any, infinity: Any, quiet: Any, operation: Any) -> Any:
    """Return the old pattern if it was NaN (unless it is replaced), the quiet NaN if one arose, else what was made."""
    made = quiet if V(bits & REST32) > V(0x7F800000) else made
    return np.uint16(V(old) if operation != REPLACE and V(V(old) & V(0x7FFF)) > infinity else made)


@kernel(forceinline=True)
def _widen_float16(old: Any) -> Any:
    """Return the float32 pattern of a float16 pattern, exactly."""
    size = V(V(old) & V(0x7FFF))
    normal = V(V(size << V(13)) + V(112 << 23))
    extreme = V(V(size << V(13)) + V(224 << 23))
    small = u32_of_float(np.float32(np.float32(np.int32(size)) * np.float32(2.0**-24)))
    made = small if size < V(0x400) else (extreme if size >= V(0x7C00) else normal)
    return V(made | V(V(V(old) & V(0x8000)) << V(16)))


@kernel(forceinline=True)
def _nearest_float16(bits: Any) -> Any:
    """`rounding.narrow` to nearest. Below 2**-14, adding 1/2 in float32 rounds to the spacing of 2**-24."""
    size = V(bits & REST32)
    small = V(u32_of_float(np.float32(float_of_u32(size) + np.float32(0.5))) - V(126 << 23))
    normal = V(V(V(size + V(0xFFF)) + V(V(size >> V(13)) & V(1))) - V(112 << 23)) >> V(13)
    made = small if size < V(113 << 23) else min(V(normal), V(0x7C00))
    return V(V(made) | V(V(bits >> V(16)) & V(0x8000)))


@kernel(forceinline=True)
def _stochastic_float16(bits: Any, random: Any) -> Any:
    """`rounding.narrow` for float16 with a random word."""
    size = U(bits) & U(0x7FFFFFFF)
    exponent = np.int64(size >> U(23))
    subnormal = exponent < 113
    significand = (size & U(0x7FFFFF)) | U(0x800000)
    significand = (U(0) if exponent == 0 else significand) >> U(min(max(94 - exponent, 0), 31))
    shift = U(min(126 - exponent, 32)) if subnormal else U(13)
    start = significand if subnormal else size - U(112 << 23)
    up = (start + (U(random) & ((U(1) << shift) - U(1)))) >> shift
    return _nearest_float16(bits) if up >= U(0x7C00) else V(up | ((U(bits) >> U(16)) & U(0x8000)))


@kernel
def _combine_float16(values: Any, at: Any, steps: Any, skip: Any, count: Any, operation: Any, random: Any) -> None:
    wide()
    if len(random):
        for i in range(count):
            old = values[at + U(i)]
            bits = _after32(_widen_float16(old), steps[skip + U(i)], operation)
            made = _stochastic_float16(bits, random[skip + U(i)])
            values[at + U(i)] = _keep_nan(old, bits, made, V(0x7C00), V(0x7E00), operation)
    else:
        for i in range(count):
            old = values[at + U(i)]
            bits = _after32(_widen_float16(old), steps[skip + U(i)], operation)
            made = _nearest_float16(bits)
            values[at + U(i)] = _keep_nan(old, bits, made, V(0x7C00), V(0x7E00), operation)
