"""Flipping bits of the stored patterns: negate and xor."""

from typing import Any

from genewright.machine_code.bits import kernel, wide
from genewright.noise.compiled.kernels.draws import HALF, U


@kernel
def flip_one(values: Any, at: Any, count: Any, flips: Any) -> None:
    """XOR values[at : at + count] with the only flip."""
    wide()
    flip = flips[0]
    for i in range(count):
        values[U(at) + U(i)] ^= flip


@kernel
def flip_chosen(values: Any, at: Any, words: Any, skip: Any, count: Any, flips: Any) -> None:
    """XOR each value with the flip that its word chooses."""
    number = U(len(flips))
    for i in range(count):
        values[U(at) + U(i)] ^= flips[(U(words[U(skip) + U(i)]) * number) >> HALF]
