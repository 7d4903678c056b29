"""One change of one stretch of a tensor, as the kernels see it, and the buffers that they work in."""

from typing import Any, NamedTuple

import numpy as np

from genewright.machine_code.bits import kernel
from genewright.noise.compiled.call import CONSTANT, FLIP, MULTIPLY, NORMAL
from genewright.noise.compiled.kernels.combine import combine
from genewright.noise.compiled.kernels.draws import U, encode, fill_words, words_at
from genewright.noise.compiled.kernels.flips import flip_chosen, flip_one
from genewright.noise.compiled.kernels.steps import to_factors, to_steps


class Job(NamedTuple):
    """The settings of a change, in machine types.

    Args:
        noise: The stream of noise words as four uint64 of 32 bits: the key, the upper half of the counter.
        other: Likewise the stream for rounding, or for the choice of bits.
        operation: ADD, ADD_RELATIVE, MULTIPLY, REPLACE or FLIP.
        kind: WIDE, BFLOAT16 or FLOAT16.
        distribution: NORMAL and so on.
        stochastic: Whether to round stochastically.
        unit: The scale times the value of a code's last bit.
        mantissa: K of the log-normal factor.
        shift: Its shift.
        flips: The patterns to choose from, of the values' type.
    """

    noise: Any
    other: Any
    operation: Any
    kind: Any
    distribution: Any
    stochastic: Any
    unit: Any
    mantissa: Any
    shift: Any
    flips: Any


class Buffers(NamedTuple):
    """Scratch space for a piece of the tensor.

    Args:
        codes: uint32.
        steps: float64's patterns for 64 bit values, float32's for all others.
        random: Words for stochastic rounding, uint32; none, to round to nearest.
        gathered: Values.
    """

    codes: Any
    steps: Any
    random: Any
    gathered: Any


@kernel
def _codes_to_steps(job: Any, buffers: Any, count: Any) -> None:
    if job.distribution == CONSTANT:
        for i in range(count):
            buffers.codes[U(i)] = np.uint32(1)
    else:
        encode(buffers.codes, count, job.distribution)
    if job.operation == MULTIPLY and job.distribution == NORMAL:
        to_factors(buffers.codes, buffers.steps, count, job.mantissa, job.shift)
    else:
        to_steps(buffers.codes, buffers.steps, count, job.distribution, job.unit)


@kernel
def change_run(values: Any, at: Any, count: Any, job: Any, buffers: Any, tile: Any, skip: Any) -> None:
    """Change values[at : at + count], consecutive elements that begin `skip` after the start of a tile."""
    tiles = (skip + count + 127) // 128
    if job.operation == FLIP:
        if len(job.flips) == 1:
            flip_one(values, at, count, job.flips)
        else:
            fill_words(buffers.codes, tile, tiles, job.other)
            flip_chosen(values, at, buffers.codes, skip, count, job.flips)
        return
    if job.distribution != CONSTANT:
        fill_words(buffers.codes, tile, tiles, job.noise)
    _codes_to_steps(job, buffers, skip + count)
    if job.stochastic:
        fill_words(buffers.random, tile, tiles, job.other)
    combine(values, at, buffers.steps, skip, count, job.operation, job.kind, buffers.random)


@kernel
def change_scattered(count: Any, job: Any, buffers: Any, places: Any, first: Any) -> None:
    """Change the values in buffers.gathered, whose indices are first + places."""
    if job.operation == FLIP:
        if len(job.flips) == 1:
            flip_one(buffers.gathered, 0, count, job.flips)
        else:
            words_at(buffers.codes, places, count, first, job.other)
            flip_chosen(buffers.gathered, 0, buffers.codes, 0, count, job.flips)
        return
    if job.distribution != CONSTANT:
        words_at(buffers.codes, places, count, first, job.noise)
    _codes_to_steps(job, buffers, count)
    if job.stochastic:
        words_at(buffers.random, places, count, first, job.other)
    combine(buffers.gathered, 0, buffers.steps, 0, count, job.operation, job.kind, buffers.random)
