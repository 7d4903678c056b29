"""Bits that are stuck, as those of a broken memory cell are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from genewright.edits import Edit, Map
from genewright.edits.functions import ForceBits
from genewright.index import Index
from genewright.network import Network
from genewright.noise import Change
from genewright.operators.weights.elementwise import Elementwise
from genewright.operators.weights.stored_bits import FIELDS, checked_bits, positions_of
from genewright.part import Part
from genewright.settings import check_integer
from genewright.tensor import Tensor


@dataclass(frozen=True, kw_only=True)
class StuckAt(Elementwise):
    """Force one bit of a share of the elements to 0 or to 1.

    bits(w') = bits(w) OR 2^k for value=1, bits(w) AND NOT 2^k for value=0, with the bit k drawn from `bits`, for each
    element with probability `rate`.

    Each element is hit with probability `rate`, independently; a hit element has one of the bits `bits` forced, each of
    them equally likely. With `count`, exactly that many different bits among those of all chosen elements are forced.
    A bit that has the value already stays: the fault is there, and nothing shows. The same mutation twice changes
    nothing more.

    Args:
        value: What the bit is stuck at, 0 or 1.
        bits: Fields ("sign", "exponent", "mantissa") or positions (0 is the lowest bit of the mantissa; the sign is 31
            in float32, 15 in the half types), one or several.
        rate: Share of the elements that are hit, in [0, 1].
        count: Instead of `rate`, exactly how many bits of all that are chosen are forced; those of a count are forced
            with a higher one too.
        where: Which tensors and units; all trainable ones by default.

    Raises:
        SettingError: A setting is out of its range; a field is unknown.
        UnsupportedError: A chosen tensor's dtype has no bit at one of the positions.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(4, 2)
        >>> mutant = gw.mutate(net, gw.StuckAt(value=1, bits="sign", rate=1.0), seed=1)
        >>> torch.equal(mutant.weight, -net.weight.abs())
        True

    References:
        Gavarini, Ruospo and Sanchez, "SCI-FI: a Smart, aCcurate and unIntrusive Fault-Injector for Deep Neural
        Networks", ETS 2023 (stuck-at faults of parameters); Zhang et al., "Analyzing and Mitigating the Impact of
        Permanent Faults on a Systolic Array Based Neural Network Accelerator", arXiv:1802.04657.
    """

    value: int = 1
    bits: tuple[int | str, ...] = FIELDS
    rate: float = field(default=0.001, kw_only=False)

    def check(self) -> None:
        check_integer(self, "value", self.value, low=0, high=1)
        object.__setattr__(self, "bits", checked_bits("StuckAt", self.bits))

    def change(self, tensor: Tensor, network: Network) -> Change:
        return Change(combine="xor", bits=self.positions(tensor), rate=self.rate)

    def edit(self, tensor: Tensor, part: Part, network: Network) -> Edit:
        return self._forced(tensor, self.change(tensor, network), part=part)

    def ways(self, tensor: Tensor) -> int:
        return len(self.positions(tensor))

    def counted(self, tensor: Tensor, hits: NDArray[np.int64], network: Network) -> Iterator[Edit]:
        bits = self.positions(tensor)
        for at in map(int, np.unique(hits % len(bits))):
            elements = hits[hits % len(bits) == at] // len(bits)
            yield self._forced(tensor, Change(combine="xor", bits=(bits[at],)), elements=Index.of(elements))

    def _forced(self, tensor: Tensor, flips: Change, *, part: Part = (), elements: Index | None = None) -> Map:
        function = ForceBits(flips=flips, value=self.value, elements=Index() if elements is None else elements)
        return Map(tensor=tensor.name, function=function, part=part, stream=tensor.name)

    def positions(self, tensor: Tensor) -> tuple[int, ...]:
        """Return the bits of a tensor's numbers that can be hit, ascending."""
        return positions_of("StuckAt", self.bits, tensor)
