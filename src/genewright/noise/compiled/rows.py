"""`apply_rows` by compiled kernels: many tensors of one size in one call, since a small one takes less than a call."""

import itertools
from array import array
from functools import partial
from math import copysign
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.machine_code.crew import Crew
from genewright.machine_code.memory import address_of, cores
from genewright.noise.change import Change
from genewright.noise.compiled import call
from genewright.noise.compiled.backend import BIT, PARALLEL, ROUND, described, run_kernel
from genewright.noise.compiled.machine_code import kernel

_HALF, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


def apply_rows(
    values: NDArray[Any],
    change: Change,
    streams: NDArray[np.uint64],
    dtype: str,
    threads: int | None = None,
    parallel: int = PARALLEL,
) -> None:
    """Change the rows in place by a dense change (arguments as `engine.apply_rows` has checked them)."""
    run = kernel(f"rows{8 * values.itemsize}")
    about, flips = described(change, copysign(1, change.scale), dtype, values.itemsize)
    key, tweak = streams[:, 0], streams[:, 1]
    words = np.ascontiguousarray(np.stack([key & _LOW, key >> _HALF, tweak & _LOW, tweak >> _HALF], axis=1))
    rows, size = values.shape
    most = min(rows, rows * size * 2 // parallel)
    number = 1 if most < 2 else min(threads or cores(), most)
    edges = [rows * part // number for part in range(number + 1)]
    tasks: list[partial[None]] = []
    for first, last in itertools.pairwise(edges):
        told: array[int] = about[:]
        told[call.PURPOSE] = BIT if told[call.OPERATION] == call.FLIP else ROUND
        told[call.VALUES], told[call.SIZE] = address_of(values) + first * size * values.itemsize, size
        told[call.ROWS], told[call.STREAMS] = last - first, address_of(words) + first * words.strides[0]
        tasks.append(partial(run_kernel, run, told, (values, flips, words)))
    if number > 1:
        Crew(tasks).run()
    else:
        tasks[0]()
