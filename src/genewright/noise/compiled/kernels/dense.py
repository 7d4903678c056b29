"""The loop over every element, in pieces that stay in the first cache."""

from typing import Any

import numpy as np

from genewright.machine_code.bits import kernel
from genewright.noise.compiled.call import PIECE
from genewright.noise.compiled.kernels.draws import U
from genewright.noise.compiled.kernels.job import change_run


@kernel
def dense(values: Any, first: Any, job: Any, buffers: Any) -> None:
    """Change every value (patterns: uint16, uint32 or uint64); `first` is the index of the first one, uint64."""
    size, done = len(values), 0
    while done < size:
        index = first + U(done)
        skip = np.int64(index & U(127))
        count = min(PIECE - skip, size - done)
        change_run(values, done, count, job, buffers, index >> U(7), skip)
        done += count
