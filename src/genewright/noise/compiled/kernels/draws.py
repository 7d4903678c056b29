"""Words and codes in compiled loops: what `words` and `distributions` do, a vector register at a time.

Every word is held in a 64 bit lane, with garbage above its 32 bits: a multiplication reads the low half only, so a
Philox round is two multiplications, two shifts and two three-way XORs for eight counters. Tables are constants of the
compiled code (a gather from an argument could alias the output, and then nothing is vectorised), and indices are
unsigned (Python's negative indices would cost a select per element).
"""

from typing import Any

import numpy as np

from genewright.machine_code.bits import (
    double_of_u64,
    float_of_u32,
    kernel,
    u32_of_float,
    u64_of_double,
    wide,
)
from genewright.noise.compiled.call import CAUCHY, LAPLACE, SIGN, UNIFORM
from genewright.noise.philox import MULTIPLIERS, WEYL
from genewright.noise.tables import table

U = np.uint64
M0, M1 = U(MULTIPLIERS[0]), U(MULTIPLIERS[1])
W0, W1 = U(WEYL[0]), U(WEYL[1])
LOW, HALF = U(0xFFFFFFFF), U(32)
TOP, REST = U(0x80000000), U(0x7FFFFFFF)

TABLES = np.concatenate([table(name) for name in ("normal", "truncated_normal", "laplace", "cauchy")])
BASE = U(1024 << 6)
MAGIC, SHIFTED = U(0x4350000000000000), 2.0**54 - 2.0
"""v in the low bits of 2**54 is 2**54 + 4 v; less 2**54 - 2 it is 2 m, exactly, for m = 2 v + 1."""


@kernel(forceinline=True)
def philox(c: Any, x2: Any, x3: Any, k0: Any, k1: Any) -> Any:
    """Return the four words of counter c; each has garbage above its 32 bits."""
    x0, x1 = c, c >> HALF
    for _ in range(10):
        left, right = (x0 & LOW) * M0, (x2 & LOW) * M1
        x0, x1, x2, x3 = (right >> HALF) ^ x1 ^ k0, right, (left >> HALF) ^ x3 ^ k1, left
        k0, k1 = (k0 + W0) & LOW, (k1 + W1) & LOW
    return x0, x1, x2, x3


@kernel
def fill_words(out: Any, tile: Any, tiles: Any, stream: Any) -> None:
    """Write the words of `tiles` whole tiles."""
    wide()
    k0, k1, x2, x3 = stream
    for t in range(tiles):
        counter = (tile + U(t)) * U(32)
        here = U(t) * U(128)
        for c in range(32):
            a, b, d, e = philox(counter + U(c), x2, x3, k0, k1)
            at = here + U(c)
            out[at] = np.uint32(a)
            out[at + U(32)] = np.uint32(b)
            out[at + U(64)] = np.uint32(d)
            out[at + U(96)] = np.uint32(e)


@kernel
def words_at(out: Any, places: Any, count: Any, first: Any, stream: Any) -> None:
    """Write the words of the indices first + places."""
    wide()
    k0, k1, x2, x3 = stream
    for i in range(count):
        index = first + U(places[U(i)])
        a, b, d, e = philox((index >> U(7)) * U(32) + (index & U(31)), x2, x3, k0, k1)
        low = b if index & U(32) else a
        high = e if index & U(32) else d
        out[U(i)] = np.uint32(high if index & U(64) else low)


@kernel(forceinline=True)
def parabola(entry: Any, offset: Any) -> Any:
    """`quantile.magnitude`; garbage above the offset's 32 bits does no harm."""
    t = offset & LOW
    slope = (entry - ((t * (entry & U(1023))) >> U(18))) & LOW
    return (entry >> HALF) - ((t * slope) >> U(42))


@kernel(forceinline=True)
def quantile(word: Any, start: Any) -> Any:
    """Return (segment, magnitude) of a word by the table that starts at `start` (less BASE, so wrapped)."""
    bits = u64_of_double(double_of_u64((word & REST) | MAGIC) - SHIFTED)
    place = bits >> U(46)
    return place, parabola(TABLES[place + start], bits >> U(14))


@kernel
def encode(buffer: Any, count: Any, distribution: Any) -> None:
    """Turn words into codes, in place: `distributions.encode`."""
    if distribution <= LAPLACE:
        _encode_table(buffer, count, U(distribution) * U(2048) - BASE)
    elif distribution == CAUCHY:
        _encode_cauchy(buffer, count)
    elif distribution == UNIFORM:
        for i in range(count):
            word = U(buffer[U(i)])
            buffer[U(i)] = np.uint32((word & TOP) | ((word & REST) >> U(8) << U(1)) | U(1))
    elif distribution == SIGN:
        for i in range(count):
            buffer[U(i)] = np.uint32((U(buffer[U(i)]) & TOP) | U(1))


@kernel
def _encode_table(buffer: Any, count: Any, start: Any) -> None:
    wide()
    for i in range(count):
        word = U(buffer[U(i)])
        _, fixed = quantile(word, start)
        buffer[U(i)] = np.uint32(fixed | (word & TOP))


@kernel
def _encode_cauchy(buffer: Any, count: Any) -> None:
    wide()
    for i in range(count):
        word = U(buffer[U(i)])
        place, fixed = quantile(word, U(CAUCHY * 2048) - BASE)
        power = float_of_u32(np.uint32((U(133) - ((place - BASE) >> U(6))) << U(23)))
        size = np.float32(np.float32(np.int32(fixed)) * power)
        buffer[U(i)] = np.uint32(u32_of_float(size) | np.uint32(word & TOP))
