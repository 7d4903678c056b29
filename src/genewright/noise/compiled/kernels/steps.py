"""Codes become steps: s z, with its sign put on as a bit, or the log-normal factor; in float32 or float64 patterns.

Steps are kept as bit patterns. The sign goes on by XOR between the product and the sum that follows, so that no
compiler can contract the two into one rounding.
"""

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from genewright.machine_code.bits import OPTIONS, float_of_u32, kernel, u32_of_float, u64_of_double, wide
from genewright.noise.compiled.call import CAUCHY
from genewright.noise.compiled.kernels.draws import LOW, REST, TOP, U, parabola
from genewright.noise.lognormal import LIMIT
from genewright.noise.tables import table

EXP2 = np.array(table("exp2"))
TOP32, REST32 = np.uint32(0x80000000), np.uint32(0x7FFFFFFF)
FLOOR, CEILING = np.int64(-LIMIT << 32), np.int64(((LIMIT + 1) << 32) - 1)


def to_steps(codes: Any, steps: Any, count: Any, distribution: Any, unit: Any) -> None:
    """Write the patterns of s z: float32 patterns into uint32, float64 patterns into uint64."""
    raise NotImplementedError


def to_factors(codes: Any, steps: Any, count: Any, mantissa: Any, shift: Any) -> None:
    """Write the patterns of the log-normal factors, likewise."""
    raise NotImplementedError


@overload(to_steps, jit_options=OPTIONS)
def _to_steps(codes: Any, steps: Any, count: Any, distribution: Any, unit: Any) -> Any:
    def single(codes: Any, steps: Any, count: Any, distribution: Any, unit: Any) -> None:
        _steps32(codes, steps, count, distribution, unit)

    def double(codes: Any, steps: Any, count: Any, distribution: Any, unit: Any) -> None:
        _steps64(codes, steps, count, distribution, unit)

    return single if steps.dtype == types.uint32 else double


@overload(to_factors, jit_options=OPTIONS)
def _to_factors(codes: Any, steps: Any, count: Any, mantissa: Any, shift: Any) -> Any:
    def single(codes: Any, steps: Any, count: Any, mantissa: Any, shift: Any) -> None:
        _factors32(codes, steps, count, mantissa, shift)

    def double(codes: Any, steps: Any, count: Any, mantissa: Any, shift: Any) -> None:
        _factors64(codes, steps, count, mantissa, shift)

    return single if steps.dtype == types.uint32 else double


@kernel
def _steps32(codes: Any, steps: Any, count: Any, distribution: Any, unit: Any) -> None:
    wide()
    scale = np.float32(unit)
    if distribution == CAUCHY:
        for i in range(count):
            code = codes[U(i)]
            size = np.float32(float_of_u32(np.uint32(code & REST32)) * scale)
            steps[U(i)] = np.uint32(u32_of_float(size) ^ np.uint32(code & TOP32))
    else:
        for i in range(count):
            code = codes[U(i)]
            size = np.float32(np.float32(np.int32(code & REST32)) * scale)
            steps[U(i)] = np.uint32(u32_of_float(size) ^ np.uint32(code & TOP32))


@kernel
def _steps64(codes: Any, steps: Any, count: Any, distribution: Any, unit: Any) -> None:
    wide()
    if distribution == CAUCHY:
        for i in range(count):
            code = codes[U(i)]
            size = np.float64(float_of_u32(np.uint32(code & REST32))) * unit
            steps[U(i)] = u64_of_double(size) ^ ((U(code) & TOP) << U(32))
    else:
        for i in range(count):
            code = codes[U(i)]
            size = np.float64(np.int32(code & REST32)) * unit
            steps[U(i)] = u64_of_double(size) ^ ((U(code) & TOP) << U(32))


@kernel(forceinline=True)
def _factor(code: Any, mantissa: Any, shift: Any) -> Any:
    """`lognormal.factor_parts`: (h, e) with the factor h * 2**(e - 28)."""
    product = np.int64(((U(code) & REST) * mantissa) >> shift)
    falling = product if U(code) & TOP else -product
    falling = min(max(falling, FLOOR), CEILING)
    fraction = U(falling) & LOW
    return parabola(EXP2[fraction >> U(26)], fraction << U(6)), -(falling >> np.int64(32))


@kernel
def _factors32(codes: Any, steps: Any, count: Any, mantissa: Any, shift: Any) -> None:
    wide()
    for i in range(count):
        h, e = _factor(codes[U(i)], mantissa, shift)
        whole = U(u32_of_float(np.float32(np.int32(h))))
        steps[U(i)] = np.uint32(whole + U((e - np.int64(28)) << np.int64(23)))


@kernel
def _factors64(codes: Any, steps: Any, count: Any, mantissa: Any, shift: Any) -> None:
    wide()
    for i in range(count):
        h, e = _factor(codes[U(i)], mantissa, shift)
        whole = u64_of_double(np.float64(np.int32(h)))
        steps[U(i)] = whole + U((e - np.int64(28)) << np.int64(52))
