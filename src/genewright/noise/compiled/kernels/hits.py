"""Which elements are hit, block by block: `mask` in compiled form."""

from typing import Any

import numpy as np

from genewright.machine_code.bits import kernel, wide
from genewright.noise.compiled.kernels.draws import HALF, LOW, U, philox


@kernel
def count_bits(out: Any, block: Any, count: Any, stream: Any) -> None:
    """Write the 64 bits that decide the number of hits of each block."""
    wide()
    k0, k1, x2, x3 = stream
    for i in range(count):
        a, b, _, _ = philox(block + U(i), x2, x3, k0, k1)
        out[U(i)] = (a & LOW) | (b << HALF)


@kernel(forceinline=True)
def quantile(bits: Any, table: Any, guide: Any, below: Any) -> Any:
    """Return the number of thresholds at most `bits`; the guide says where to begin, by the top eight bits."""
    k = guide[bits >> U(56)]
    while k < len(table) and table[U(k)] <= bits:
        k += 1
    return below + k


@kernel
def fill_draws(out: Any, counter: Any, groups: Any, stream: Any) -> None:
    """Write 64 draws of 12 bits per group of eight counters, in the order of `mask.draws`."""
    wide()
    k0, k1, x2, x3 = stream
    for g in range(groups):
        first = counter + U(g) * U(8)
        here = U(g) * U(64)
        for c in range(8):
            a, b, d, e = philox(first + U(c), x2, x3, k0, k1)
            at = here + U(c)
            out[at] = np.uint16(a & U(0xFFF))
            out[at + U(8)] = np.uint16((a >> U(16)) & U(0xFFF))
            out[at + U(16)] = np.uint16(b & U(0xFFF))
            out[at + U(24)] = np.uint16((b >> U(16)) & U(0xFFF))
            out[at + U(32)] = np.uint16(d & U(0xFFF))
            out[at + U(40)] = np.uint16((d >> U(16)) & U(0xFFF))
            out[at + U(48)] = np.uint16(e & U(0xFFF))
            out[at + U(56)] = np.uint16((e >> U(16)) & U(0xFFF))


@kernel
def mark(bitmap: Any, count: Any, block: Any, stream: Any, draws: Any) -> Any:
    """Set the first `count` distinct draws of a block in an empty bitmap; return which words of it are used."""
    used, found = U(0), 0
    counter = block << U(14)
    capacity = len(draws) // 64
    while found < count:
        groups = min((count - found) // 60 + 1, capacity)
        fill_draws(draws, counter, groups, stream)
        counter += U(8 * groups)
        i, end = 0, 64 * groups
        while i < end and found < count:
            # that many draws cannot overshoot, so they need no check
            safe = min(end, i + count - found)
            while i < safe:
                draw = U(draws[U(i)])
                place, bit = draw >> U(6), U(1) << (draw & U(63))
                word = bitmap[place]
                found += np.int64((word & bit) == U(0))
                bitmap[place] = word | bit
                used |= U(1) << place
                i += 1
    return used
