"""How a kernel is called: with the address of one array of 64 bit words, in the order that is said here.

Numbers stand for themselves, float64 as its pattern, arrays by address and length. Kernels allocate nothing: the
caller hands them scratch space. This file is read by both sides, and needs no Numba.
"""

from typing import Final

NORMAL, TRUNCATED, LAPLACE, CAUCHY, UNIFORM, SIGN, CONSTANT = range(7)
DISTRIBUTIONS: Final = {
    "normal": NORMAL,
    "truncated_normal": TRUNCATED,
    "laplace": LAPLACE,
    "cauchy": CAUCHY,
    "uniform": UNIFORM,
    "sign": SIGN,
    "constant": CONSTANT,
}
ADD, ADD_RELATIVE, MULTIPLY, REPLACE, FLIP = range(5)
OPERATIONS: Final = {"add": ADD, "add_relative": ADD_RELATIVE, "multiply": MULTIPLY, "replace": REPLACE}
WIDE, BFLOAT16, FLOAT16 = range(3)
KINDS: Final = {"float32": WIDE, "float64": WIDE, "bfloat16": BFLOAT16, "float16": FLOAT16}

PIECE: Final = 2048
"""Elements that a dense kernel changes at once: they stay in the first cache."""
BLOCK: Final = 4096
FULL: Final = 2048
"""Waiting hits at which they are changed."""
COUNTS: Final = 64
"""Blocks whose 64 random bits are made at once."""
TERM: Final = 5
"""Words of a term of a sum."""
DRAWS: Final = 2048
"""Draws of positions made at once."""

(
    VALUES,  # address
    SIZE,
    FIRST,  # index of the first value
    NOISE,  # the stream of noise: the key and the upper half of the counter, as four words of 32 bits
    OTHER,  # likewise, for rounding or for the choice of bits
    OPERATION,
    KIND,
    DISTRIBUTION,
    STOCHASTIC,
    UNIT,  # float64
    MANTISSA,
    SHIFT,
    FLIPS,
    FLIPS_SIZE,
    SCRATCH,  # address, a multiple of 64
    COUNTING,  # the stream of the numbers of hits
    PLACING,  # the stream of the positions
    TABLE,
    TABLE_SIZE,
    GUIDE,
    BELOW,
    COMPLEMENT,
    CROWDED,
    PLACES,  # where to note the hits
    PLACES_SIZE,
    PLACES_WIDE,  # whether as uint64
    OLDS,
    OLDS_SIZE,
    WRITTEN,  # out: how many hits are noted; it grows before they change
    TERMS,  # of a sum: for each stream its four words, and its weight times the value of a code's last bit
    TERMS_SIZE,
    ADDEND,  # address of numbers of the computing type that a sum begins with, or 0
    ROWS,  # of many rows of one size: how many, the first at VALUES
    STREAMS,  # for each row its stream: three words, and the upper word without the purpose
    PURPOSE,  # of the other words, in its place in the upper word
) = (
    *(0, 1, 2, 3, 7, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 25, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40),
    *range(41, 47),
)
WORDS: Final = 47

SCRATCH_BYTES: Final = 5 * 8 * (FULL + BLOCK) + 8 * (BLOCK // 64) + 2 * DRAWS + 8 * COUNTS
"""What the hungriest kernel needs."""
