"""Make the tables of src/genewright/noise/data again, in 120 bit arithmetic: python tests/noise/make_tables.py

Every segment [a, b] of tail probability gets the parabola through the quantile at a and b and, at best, at
the middle: z0 = floor(f(a)), c2 = 4 (mean of the ends - middle), and the slope that arrives at floor(f(b)),
or at most one unit above it. floor() of z0 cancels, on average, the floor() that the evaluation takes of
the parabola's fall.
"""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from statistics import NormalDist

import mpmath
import numpy as np

DATA = Path(__file__).parents[2] / "src" / "genewright" / "noise" / "data"
mpf = mpmath.mpf


def entry(f: Callable, a, b, fraction_bits: int) -> int:
    with mpmath.workprec(120):
        one = mpf(2) ** fraction_bits
        start, middle, end = f(a) * one, f((a + b) / 2) * one, f(b) * one
        z0 = int(mpmath.floor(start))
        fall = z0 - int(mpmath.floor(end))
        curvature = int(mpmath.nint(4 * ((start + end) / 2 - middle) / 16))
        slope = (fall + 16 * curvature - (1 if curvature else 0)) * 1024 + curvature
    assert 0 <= curvature < 1024
    assert 0 <= slope < 2**32
    assert 0 <= z0 < 2**31
    assert slope - curvature * 2**14 <= fall * 1024
    return z0 << 32 | slope


def half_normal(p):
    """The z with P(abs(Z) > z) = p."""
    if p >= 1:
        return mpf(0)
    z = mpf(-NormalDist().inv_cdf(float(p) / 2)) if float(p) < 1 else mpf(0)
    for _ in range(4):
        z += (mpmath.erfc(z / mpmath.sqrt(2)) - p) / (2 * mpmath.npdf(z))
    return z


def normal(index: int) -> int:
    """The quantile; but the outermost point stands for the whole tail beyond it, and keeps its fourth moment."""
    packed = entry(half_normal, *segment(index), 28)
    if index:
        return packed
    edge = half_normal(mpf(2) ** -31)
    density = mpmath.npdf(edge)  # E[z**4 | z > a] = 3 + (a**3 + 3 a) phi(a) / Q(a)
    fourth = 3 + (edge**3 + 3 * edge) * density / (mpmath.erfc(edge / mpmath.sqrt(2)) / 2)
    return int(mpmath.floor(mpmath.root(fourth, 4) * 2**28)) << 32 | packed & 0xFFFFFFFF


def truncated_half_normal(p):
    """The z with P(abs(Z) > z | abs(Z) < 2) = p."""
    if p >= 1:
        return mpf(0)
    tail = mpmath.erfc(mpmath.sqrt(2))
    return half_normal(tail + p * (1 - tail))


def cauchy(octave: int) -> Callable:
    """cot(pi p / 2), scaled by the octave's power of two."""
    return lambda p: mpmath.cot(mpmath.pi * p / 2) * mpf(2) ** (octave - 31) if p < 1 else mpf(0)


def segment(index: int):
    """The ends of one of 64 segments of one of 32 octaves of tail probability."""
    octave, part = divmod(index, 64)
    return tuple(mpf(2) ** (octave - 32) * (1 + mpf(part + end) / 64) for end in (0, 1))


TABLES: dict[str, tuple[int, Callable[[int], int]]] = {
    "normal": (2048, normal),
    "truncated_normal": (2048, lambda i: entry(truncated_half_normal, *segment(i), 28)),
    "laplace": (2048, lambda i: entry(lambda p: -mpmath.log(p), *segment(i), 26)),
    "cauchy": (2048, lambda i: entry(cauchy(i // 64), *segment(i), 25)),
    "exp2": (64, lambda i: entry(lambda g: mpf(2) ** -g, mpf(i) / 64, mpf(i + 1) / 64, 28)),
}


def main() -> None:
    DATA.mkdir(exist_ok=True)
    for name, (size, make) in TABLES.items():
        with mpmath.workprec(120):
            data = np.array([make(i) for i in range(size)], dtype="<u8").tobytes()
        (DATA / f"{name}.bin").write_bytes(data)
        print(f'    "{name}": "{sha256(data).hexdigest()}",')


if __name__ == "__main__":
    main()
