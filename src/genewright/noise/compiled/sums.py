"""`add_sum` by a compiled kernel: the noise of all streams is summed piece by piece, and met by the weights once."""

import struct
from array import array
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.machine_code.crew import Crew
from genewright.machine_code.memory import address_of, cores
from genewright.noise.compiled import call
from genewright.noise.compiled.backend import (
    NOISE,
    PARALLEL,
    ROUND,
    parts_of,
    put_stream,
    run_kernel,
)
from genewright.noise.compiled.machine_code import kernel
from genewright.noise.distributions import FRACTION_BITS
from genewright.noise.key import Stream


def add_sum(
    values: NDArray[Any],
    terms: Sequence[tuple[Stream, float]],
    addend: NDArray[Any] | None,
    stream: Stream | None,
    dtype: str,
    start: int,
    threads: int | None = None,
    parallel: int = PARALLEL,
) -> None:
    """Change the values in place: what `reference.add_sum` does."""
    if not len(values):
        return
    run = kernel(f"sum{8 * values.itemsize}")
    told = _terms(terms, dtype)
    words = array("Q", bytes(8 * call.WORDS))
    words[call.OPERATION], words[call.KIND] = call.ADD, call.KINDS[dtype]
    words[call.DISTRIBUTION] = call.NORMAL
    words[call.TERMS], words[call.TERMS_SIZE] = told.buffer_info()[0], len(told)
    if stream is not None and dtype in ("bfloat16", "float16"):
        words[call.STOCHASTIC] = 1
        put_stream(words, call.OTHER, stream, ROUND)
    most = len(values) * (len(terms) + 1) * 2 // parallel
    tasks: list[partial[None]] = []
    for a, b in parts_of(len(values), start, 1 if most < 2 else min(threads or cores(), most)):
        each = words[:]
        each[call.VALUES], each[call.SIZE] = address_of(values) + a * values.itemsize, b - a
        each[call.FIRST] = start + a
        if addend is not None:
            each[call.ADDEND] = address_of(addend) + a * addend.itemsize
        tasks.append(partial(run_kernel, run, each, (values, told, addend)))
    if len(tasks) > 1:
        Crew(tasks).run()
    else:
        tasks[0]()


def _terms(terms: Sequence[tuple[Stream, float]], dtype: str) -> "array[int]":
    told = array("Q", bytes(8 * call.TERM * len(terms)))
    computing = np.float64 if dtype == "float64" else np.float32
    for number, (stream, weight) in enumerate(terms):
        at = number * call.TERM
        put_stream(told, at, stream, NOISE)
        unit = float(computing(weight * 2.0 ** -FRACTION_BITS["normal"]))
        (told[at + 4],) = struct.unpack("=Q", struct.pack("=d", unit))
    return told
