"""The loop over every element, in pieces that stay in the first cache."""

from typing import Any

import numpy as np
from numba import njit

from genewright.noise.compiled.draws import U
from genewright.noise.compiled.freshness import watch_all_sources
from genewright.noise.compiled.job import change_run, new_buffers

PIECE = 2048


@watch_all_sources
@njit(nogil=True, cache=True)
def dense(values: Any, first: Any, job: Any) -> None:
    """Change every value (patterns: uint16, uint32 or uint64); `first` is the index of the first one, uint64."""
    size, done = len(values), 0
    buffers = new_buffers(values, PIECE, job)
    while done < size:
        index = first + U(done)
        skip = np.int64(index & U(127))
        count = min(PIECE - skip, size - done)
        change_run(values, done, count, job, buffers, index >> U(7), skip)
        done += count
