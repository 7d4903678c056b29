"""The inverse distribution function in integers: bit for bit the same on every machine.

A word is one sign (its top bit) and 31 bits `v` of magnitude. The odd number `m = 2 v + 1` below 2**32
stands for the tail probability `p = m / 2**32`. Converted to float64 (exact), its bit pattern already holds
the octave and the segment (11 bits) and the offset `t` inside the segment (the next 32). Then, in 64 bit
integers,

    P = (t * (slope - ((t * curvature) >> 18))) >> 42        and the magnitude is z0 - P

which is the parabola `z0 - t (c1 - t c2)`. It is monotone over all 2**31 magnitudes.
"""

import numpy as np

from genewright.noise.philox import LOW, U32, U64


def magnitude(entry: U64, offset: U64) -> U64:
    """Evaluate the parabola of each entry at its offset.

    Args:
        entry: Packed entries of a table (see `tables`).
        offset: The place inside the segment, in units of 2**-32.

    Returns:
        Fixed-point magnitudes, in uint64, below 2**31.
    """
    curvature = entry & np.uint64(1023)
    slope = (entry - ((offset * curvature) >> np.uint64(18))) & LOW
    return (entry >> np.uint64(32)) - ((offset * slope) >> np.uint64(42))


def split(word: U32) -> tuple[U64, U64]:
    """Return (segment, offset) of each word's tail probability: 0 <= segment < 2048, 0 <= offset < 2**32."""
    tail = (word & np.uint32(0x7FFFFFFF)).astype(np.uint64) * np.uint64(2) + np.uint64(1)
    bits = tail.astype(np.float64).view(np.uint64)
    return (bits >> np.uint64(46)) - np.uint64(1023 << 6), (bits >> np.uint64(14)) & LOW
