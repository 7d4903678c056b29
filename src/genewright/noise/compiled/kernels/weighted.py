"""The noise of many streams in one sum, in pieces of the first cache's size; each weight is read and written once."""

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
from genewright.noise.compiled.call import ADD, PIECE, TERM
from genewright.noise.compiled.kernels.combine import combine
from genewright.noise.compiled.kernels.draws import REST, TOP, U, encode, fill_words
from genewright.noise.compiled.kernels.steps import REST32, TOP32


def begin(sums: Any, skip: Any, count: Any, addend: Any, at: Any) -> None:
    """Let sums[skip : skip + count] begin with addend[at : at + count], or at -0.0 where there is none."""
    raise NotImplementedError


def accumulate(sums: Any, codes: Any, count: Any, unit: Any) -> None:
    """Add s z, whose codes are given, to sums, which are patterns."""
    raise NotImplementedError


@overload(begin, jit_options=OPTIONS)
def _begin(sums: Any, skip: Any, count: Any, addend: Any, at: Any) -> Any:
    nothing = np.uint32(1 << 31) if sums.dtype == types.uint32 else U(1 << 63)

    def filled(sums: Any, skip: Any, count: Any, addend: Any, at: Any) -> None:
        for i in range(skip + count):
            sums[U(i)] = nothing
        if len(addend):
            for i in range(count):
                sums[U(skip + i)] = addend[U(at + i)]

    return filled


@overload(accumulate, jit_options=OPTIONS)
def _accumulate(sums: Any, codes: Any, count: Any, unit: Any) -> Any:
    def single(sums: Any, codes: Any, count: Any, unit: Any) -> None:
        _accumulate32(sums, codes, count, np.float32(unit))

    def double(sums: Any, codes: Any, count: Any, unit: Any) -> None:
        _accumulate64(sums, codes, count, unit)

    return single if sums.dtype == types.uint32 else double


@kernel
def _accumulate32(sums: Any, codes: Any, count: Any, unit: Any) -> None:
    wide()
    for i in range(count):
        code = codes[U(i)]
        size = np.float32(np.float32(np.int32(code & REST32)) * unit)
        step = float_of_u32(np.uint32(u32_of_float(size) ^ np.uint32(code & TOP32)))
        sums[U(i)] = u32_of_float(np.float32(float_of_u32(sums[U(i)]) + step))


@kernel
def _accumulate64(sums: Any, codes: Any, count: Any, unit: Any) -> None:
    wide()
    for i in range(count):
        code = U(codes[U(i)])
        size = np.float64(np.int32(code & REST)) * unit
        step = double_of_u64(u64_of_double(size) ^ ((code & TOP) << U(32)))
        sums[U(i)] = u64_of_double(double_of_u64(sums[U(i)]) + step)


@kernel
def weighted(values: Any, first: Any, terms: Any, addend: Any, job: Any, buffers: Any) -> None:
    """Add to every value (patterns) the sum of its addend and of all terms; `first` is the index of the first one."""
    size, done = len(values), 0
    while done < size:
        index = first + U(done)
        skip = np.int64(index & U(127))
        count = min(PIECE - skip, size - done)
        tile, tiles = index >> U(7), (skip + count + 127) // 128
        begin(buffers.steps, skip, count, addend, done)
        for term in range(len(terms) // TERM):
            at = U(term * TERM)
            stream = terms[at], terms[at + U(1)], terms[at + U(2)], terms[at + U(3)]
            fill_words(buffers.codes, tile, tiles, stream)
            encode(buffers.codes, skip + count, job.distribution)
            accumulate(buffers.steps, buffers.codes, skip + count, double_of_u64(terms[at + U(4)]))
        if job.stochastic:
            fill_words(buffers.random, tile, tiles, job.other)
        combine(values, done, buffers.steps, skip, count, ADD, job.kind, buffers.random)
        done += count
