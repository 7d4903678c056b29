"""Distributions: a word becomes a sign and a magnitude in integers, and only then a float.

The code of a draw is 32 bits: the sign on top and a magnitude `n` below it. The value is `n * 2**-q`, with
`q` fixed per distribution; a Cauchy draw needs a range that no fixed point has, so its code is the float32
itself. All codes are exact integers, so float32 and float64, CPUs and GPUs start from the same numbers.
"""

from difflib import get_close_matches
from typing import Final

import numpy as np
from numpy.typing import NDArray

from genewright.errors import SettingError
from genewright.noise.key import Stream
from genewright.noise.philox import U32
from genewright.noise.quantile import magnitude, split
from genewright.noise.tables import table
from genewright.noise.words import Index, Purpose, words

SIGN: Final = np.uint32(0x80000000)
MAGNITUDE: Final = np.uint32(0x7FFFFFFF)

FRACTION_BITS: Final = {
    "normal": 28,
    "truncated_normal": 28,
    "laplace": 26,
    "uniform": 24,
    "sign": 0,
    "constant": 0,
}
"""Distribution -> q: a code's magnitude counts units of 2**-q."""

DISTRIBUTIONS: Final = ("normal", "uniform", "laplace", "cauchy", "truncated_normal", "sign")


def draw(
    stream: Stream, distribution: str, index: Index, dtype: str = "float32"
) -> NDArray[np.float32] | NDArray[np.float64]:
    """Draw one value per index from a distribution of unit scale.

    | name | density, or what it is | largest magnitude |
    |---|---|---|
    | normal | exp(-x**2 / 2) / sqrt(2 pi) | 6.338 |
    | truncated_normal | normal, conditioned on abs(x) < 2 | 2 |
    | uniform | 1/2 on (-1, 1): odd multiples of 2**-24 | 1 - 2**-24 |
    | laplace | exp(-abs(x)) / 2 | 22.2 |
    | cauchy | 1 / (pi (1 + x**2)) | 2.7e9 |
    | sign | -1 or 1, each with probability 1/2 | 1 |

    Args:
        stream: From `derive`.
        distribution: A name above.
        index: A range or an integer array, in any order.
        dtype: "float32" or "float64". The float32 value is the float64 value, rounded once.

    Returns:
        An array of the index's shape and of that dtype.

    Raises:
        SettingError: If the distribution or the dtype is unknown.

    Example:
        >>> stream = Stream(key=1, tweak=2)
        >>> whole, part = draw(stream, "normal", range(1000)), draw(stream, "normal", range(500, 600))
        >>> bool((whole[500:600] == part).all())
        True
    """
    check_distribution(distribution, DISTRIBUTIONS)
    if dtype not in ("float32", "float64"):
        raise SettingError(f"draw returns float32 or float64, got dtype={dtype!r}")
    codes = encode(words(stream, Purpose.NOISE, index), distribution)
    return decode(codes, distribution, np.dtype(dtype))


def encode(word: U32, distribution: str) -> U32:
    """Return the code of each word: its sign bit, and a magnitude from the other 31."""
    if distribution == "constant":
        return np.ones_like(word)
    sign = word & SIGN
    if distribution == "sign":
        return sign | np.uint32(1)
    if distribution == "uniform":
        return sign | (word & MAGNITUDE) >> np.uint32(8) << np.uint32(1) | np.uint32(1)
    segment, offset = split(word)
    fixed = magnitude(table(distribution)[segment], offset).astype(np.uint32)
    if distribution == "cauchy":
        # the table holds x * 2**(octave - 31) with 25 fractional bits; the power of two is exact
        octave = (segment >> np.uint64(6)).astype(np.int32)
        fixed = np.ldexp(fixed.astype(np.float32), np.int32(6) - octave).view(np.uint32)
    return sign | fixed


def decode(code: U32, distribution: str, dtype: np.dtype[np.floating]) -> NDArray[np.floating]:
    """Return the value of each code: round(n) * 2**-q with its sign, in the dtype."""
    if distribution == "cauchy":
        return code.view(np.float32).astype(dtype)
    unit = dtype.type(2.0 ** -FRACTION_BITS[distribution])
    size = (code & MAGNITUDE).astype(dtype) * unit
    return np.where(code & SIGN, -size, size)


def check_distribution(name: str, known: tuple[str, ...]) -> None:
    """Raise a SettingError that names the nearest distribution, unless the name is known."""
    if name not in known:
        near = get_close_matches(str(name), known, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise SettingError(f"unknown distribution {name!r}.{hint} Known: {', '.join(known)}")
