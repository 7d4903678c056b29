"""Which bits of the weights a mutant flipped: found by comparing its words with the original's, whatever drew them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.network import Network
from genewright.operator import AnyOperator, Combinator
from genewright.operators.weights.bit_flip import BitFlip
from genewright.operators.weights.fault_at import FaultAt
from genewright.operators.weights.stuck_at import StuckAt
from genewright.tensor import COMPLEX, FLOATS

Flip = tuple[str, int]
"""The number format and the position of a bit: ``("float32", 31)`` is a sign."""

_WORDS = {8: np.uint64, 4: np.uint32, 2: np.uint16}
_BYTES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}


def acts_on_bits(operator: AnyOperator) -> bool:
    """Return whether an operator, or one that it is made of, hits single bits.

    >>> import genewright as gw
    >>> acts_on_bits(gw.BitFlip(count=1)), acts_on_bits(gw.Zero(count=1))
    (True, False)
    """
    if isinstance(operator, Combinator):
        return any(acts_on_bits(part) for part in operator.parts())
    return isinstance(operator, BitFlip | StuckAt) or (
        isinstance(operator, FaultAt) and acts_on_bits(operator.operator)
    )


def words_of(network: Network, names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Return copies of the words of the floating-point tensors among some."""
    return {name: words for name in names if (words := _words(network, name)) is not None}


def flips(now: Mapping[str, NDArray[Any]], network: Network) -> tuple[Flip, ...]:
    """Return which bits differ, each once, the lowest first.

    Args:
        now: The mutant's words, by tensor.
        network: The original.
    """
    found: set[Flip] = set()
    for name, words in now.items():
        dtype = _format(network, name)
        first = _words(network, name)
        assert first is not None  # the mutant's tensor has words, and its dtype is the original's
        changed = int(np.bitwise_or.reduce(first ^ words, axis=None))
        while changed:
            bit = changed.bit_length() - 1
            found.add((dtype, bit))
            changed ^= 1 << bit
    return tuple(sorted(found))


def _format(network: Network, name: str) -> str:
    dtype = network.tensors[name].dtype
    return COMPLEX.get(dtype, dtype)


def _words(network: Network, name: str) -> NDArray[Any] | None:
    dtype = _format(network, name)
    if dtype not in FLOATS or not network.tensors[name].nbytes:
        return None
    stored = np.dtype(_WORDS[_BYTES[dtype]]).newbyteorder("<")
    words = np.frombuffer(network.raw(name), stored)
    return words.copy() if sys.byteorder == "little" else words.astype(stored.newbyteorder("="))
