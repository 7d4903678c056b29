"""Reductions by the compiled kernel: which values it takes, and on how many threads."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genewright.machine_code.crew import Crew
from genewright.machine_code.library import Library
from genewright.machine_code.memory import address_of, cores
from genewright.observation import Numbers
from genewright.reductions import call
from genewright.reductions.reduction import Reduction

PARALLEL: Final = 1 << 18
"""Two threads' work, in values times reductions: with less, starting a thread does not pay."""


def _code_of(name: str) -> str:
    from genewright.reductions.kernels import code_of

    return code_of(name)


_HERE: Final = Path(__file__).parent
LIBRARY: Final = Library("reductions", _HERE, _code_of, (_HERE / "call.py", _HERE / "kernels.py"))


def reduced(
    values: NDArray[np.floating], unit_axis: int, wanted: Iterable[Reduction], threads: int | None = None
) -> dict[Reduction, Numbers]:
    """Return reductions of every unit's values, in float64; the same to the bit on any number of threads.

    Args:
        values: float32 or float64, finite where extremes are wanted, of shape (samples, units, positions) or (samples,
            positions, units); units or positions lie side by side.
        unit_axis: 1 or 2.
        wanted: Which.
        threads: How many at most; by default as many as there are cores.
    """
    keys = list(wanted)
    run = LIBRARY.kernel(f"reduce{8 * values.itemsize}")
    strides = [stride // values.itemsize for stride in values.strides]
    (samples, units, positions) = (values.shape[axis] for axis in (0, unit_axis, 3 - unit_axis))
    if strides[0] == positions * strides[3 - unit_axis] and strides[unit_axis] == 1:
        samples, positions = 1, samples * positions
    found = np.empty((len(keys), units))
    most = min(units, values.size * len(keys) * 2 // PARALLEL)
    number = 1 if most < 2 else min(threads or cores(), most)
    edges = [units * part // number for part in range(number + 1)]
    tasks: list[partial[None]] = []
    for first, last in pairwise(edges):
        jobs = array("Q", bytes(8 * call.JOB * len(keys)))
        for at, (name, about) in enumerate(keys):
            jobs[at * call.JOB] = call.OPERATIONS[name]
            (jobs[at * call.JOB + 1],) = struct.unpack("=Q", struct.pack("=d", about))
            jobs[at * call.JOB + 2] = address_of(found) + 8 * (at * units + first)
        lanes = np.empty(len(keys) * call.LANE)
        words = array("Q", bytes(8 * call.WORDS))
        words[call.VALUES] = _start_of(values) + first * values.strides[unit_axis]
        words[call.UNITS], words[call.UNIT_STRIDE] = last - first, strides[unit_axis]
        words[call.SAMPLES], words[call.SAMPLE_STRIDE] = samples, strides[0]
        words[call.POSITIONS], words[call.POSITION_STRIDE] = positions, strides[3 - unit_axis]
        words[call.JOBS], words[call.JOBS_SIZE] = jobs.buffer_info()[0], len(keys)
        words[call.LANES] = address_of(lanes)
        tasks.append(partial(_run, run, words, (values, found, jobs, lanes)))
    if len(tasks) > 1:
        Crew(tasks).run()
    elif tasks:
        tasks[0]()
    return {key: found[at] for at, key in enumerate(keys)}


def _run(run: Any, words: array[int], held: object) -> None:
    """Run the kernel; `held` is what the addresses that it is told belong to."""
    run(words.buffer_info()[0])


def _start_of(values: NDArray[Any]) -> int:
    return values.__array_interface__["data"][0]
