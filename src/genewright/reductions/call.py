"""How the kernel is told what to do: words of 64 bits in the order said here. Read by both sides; it needs no Numba."""

from typing import Final

SUM, SQUARES, DISTANCES, LOWEST, HIGHEST, ABOVE, EQUAL = range(7)
OPERATIONS: Final = {
    "sums": SUM,
    "squares": SQUARES,
    "distances": DISTANCES,
    "lowest": LOWEST,
    "highest": HIGHEST,
    "above": ABOVE,
    "equal": EQUAL,
}

(
    VALUES,  # address of the first unit's first value
    UNITS,
    UNIT_STRIDE,  # in values
    SAMPLES,
    SAMPLE_STRIDE,
    POSITIONS,
    POSITION_STRIDE,
    JOBS,  # address: for each job the operation, its number as float64, and the address of one float64 a unit
    JOBS_SIZE,
    LANES,  # address of scratch space: LANE float64 a job
) = range(10)
WORDS: Final = 10
JOB: Final = 3

LANE: Final = 64
"""Partial results of a unit whose values lie side by side: a value goes to the one of its place, modulo that."""
COLUMNS: Final = 512
"""Units at once, where units lie side by side."""
BLOCK: Final = 8192
"""Values that one job after the other reads, while they are in the first cache."""
