"""The positions of a mask, and nothing else: `noise.mask` in compiled form."""

from typing import Any

import numpy as np
from numba import njit

from genewright.noise.compiled.draws import U
from genewright.noise.compiled.freshness import watch_all_sources
from genewright.noise.compiled.hits import count_bits, mark, quantile
from genewright.noise.compiled.sparse import BLOCK, EVERYWHERE, collect


@watch_all_sources
@njit(nogil=True, cache=True)
def places(out: Any, first: Any, size: Any, mask: Any) -> Any:
    """Write the hits inside [first, first + size), less `first`, into `out` (uint64); return how many."""
    waiting = np.empty(BLOCK, np.uint64)
    bitmap, draws, bits = np.zeros(64, np.uint64), np.empty(2048, np.uint16), np.empty(1, np.uint64)
    block, end, written = first >> U(12), (first + U(size) + U(BLOCK - 1)) >> U(12), 0
    while block < end:
        count_bits(bits, block, 1, mask.counting)
        hits = quantile(bits[U(0)], mask.table, mask.guide, mask.below)
        used = mark(bitmap, hits, block, mask.placing, draws)
        used = EVERYWHERE if mask.complement else used
        filled = collect(waiting, 0, bitmap, used, mask.complement, np.int64(block * U(BLOCK) - first), size)
        for i in range(filled):
            out[U(written + i)] = waiting[U(i)]
        written += filled
        block += U(1)
    return written
