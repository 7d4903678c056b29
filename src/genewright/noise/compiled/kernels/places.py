"""The positions of a mask, and nothing else: `noise.mask` in compiled form."""

from typing import Any

import numpy as np

from genewright.machine_code.bits import kernel
from genewright.noise.compiled.call import BLOCK
from genewright.noise.compiled.kernels.draws import U
from genewright.noise.compiled.kernels.hits import count_bits, mark, quantile
from genewright.noise.compiled.kernels.sparse import EVERYWHERE, collect


@kernel
def places(out: Any, first: Any, size: Any, mask: Any, finding: Any) -> Any:
    """Write the hits inside [first, first + size), less `first`, into `out` (uint64); return how many."""
    waiting, bitmap, draws, bits = finding
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
