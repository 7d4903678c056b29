"""Flipping of bits, as memory faults do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from genewright.edits import Edit, Perturb
from genewright.index import Index
from genewright.network import Network
from genewright.noise import Change
from genewright.operators.weights.elementwise import Elementwise
from genewright.operators.weights.stored_bits import FIELDS, checked_bits, positions_of
from genewright.tensor import Tensor


@dataclass(frozen=True, kw_only=True)
class BitFlip(Elementwise):
    """Flip one bit in a share of the elements.

    bits(w') = bits(w) XOR 2^k, with the bit k drawn from `bits`, for each element with probability `rate`.

    Each element is hit with probability `rate`, independently; a hit element has one of the bits `bits` flipped, each
    of them equally likely. With `count`, exactly that many different bits among those of all chosen elements flip, and
    an element may lose several. The same mutation twice gives the first bytes back. A flip in the exponent can make a
    weight huge, infinite or NaN, as it does in real memory.

    Args:
        bits: Fields ("sign", "exponent", "mantissa") or positions (0 is the lowest bit of the mantissa; the sign is 31
            in float32, 15 in the half types), one or several.
        rate: Share of the elements that are hit, in [0, 1].
        count: Instead of `rate`, exactly how many bits of all that are chosen flip; those of a count flip with a
            higher one too.
        where: Which tensors and units; all trainable ones by default.

    Raises:
        SettingError: A setting is out of its range; a field is unknown.
        UnsupportedError: A chosen tensor's dtype has no bit at one of the positions.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(4, 2)
        >>> mutant = gw.mutate(net, gw.BitFlip(bits="sign", rate=1.0), seed=1)
        >>> torch.equal(mutant.weight, -net.weight)
        True

    References:
        Li et al., "Understanding Error Propagation in Deep Learning Neural Network (DNN) Accelerators and
        Applications", SC 2017 (single-bit faults); Rakin, He and Fan, "Bit-Flip Attack: Crushing Neural Network with
        Progressive Bit Search", arXiv:1903.12269. IEEE 754-2019, section 3.4, for the fields.
    """

    inverse = True

    bits: tuple[int | str, ...] = FIELDS
    rate: float = field(default=0.001, kw_only=False)

    def check(self) -> None:
        object.__setattr__(self, "bits", checked_bits("BitFlip", self.bits))

    def change(self, tensor: Tensor, network: Network) -> Change:
        return Change(combine="xor", bits=self.positions(tensor), rate=self.rate)

    def ways(self, tensor: Tensor) -> int:
        return len(self.positions(tensor))

    def counted(self, tensor: Tensor, hits: NDArray[np.int64], network: Network) -> Iterator[Edit]:
        bits = self.positions(tensor)
        ways = hits % len(bits)
        for at in sorted(set(map(int, ways))):
            change = Change(combine="xor", bits=(bits[at],))
            elements = Index.of(hits[ways == at] // len(bits))
            yield Perturb(tensor=tensor.name, change=change, stream=tensor.name, elements=elements)

    def positions(self, tensor: Tensor) -> tuple[int, ...]:
        """Return the bits of a tensor's numbers that can be hit, ascending."""
        return positions_of("BitFlip", self.bits, tensor)
