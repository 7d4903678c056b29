"""Flipping of bits, as memory faults do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genewright.edits import Perturb
from genewright.errors import SettingError, UnsupportedError
from genewright.index import Index
from genewright.names import did_you_mean
from genewright.network import Network
from genewright.noise import Change
from genewright.operators.weights.elementwise import Elementwise
from genewright.tensor import COMPLEX, FLOATS, Tensor

_FORMATS = {"float64": (64, 52), "float32": (32, 23), "float16": (16, 10), "bfloat16": (16, 7)}  # bits, mantissa bits
_FIELDS = ("sign", "exponent", "mantissa")


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

    bits: tuple[int | str, ...] = _FIELDS
    rate: float = field(default=0.001, kw_only=False)

    def check(self) -> None:
        given: tuple[Any, ...] = (self.bits,) if isinstance(self.bits, str | int) else tuple(cast(Any, self.bits))
        for bit in given:
            if isinstance(bit, str) and bit not in _FIELDS:
                raise SettingError(f"BitFlip: no field is called {bit!r}. {did_you_mean(bit, _FIELDS)}")
            if isinstance(bit, bool) or not isinstance(bit, str | int) or (isinstance(bit, int) and not 0 <= bit < 64):
                raise SettingError(
                    f"BitFlip: bits are positions from 0 to 63 or fields ({', '.join(_FIELDS)}); received {bit!r}."
                )
        if not given:
            raise SettingError("BitFlip: bits must name at least one bit; received none. Write bits='mantissa'.")
        object.__setattr__(self, "bits", given)

    def change(self, tensor: Tensor, network: Network) -> Change:
        return Change(combine="xor", bits=self._positions(tensor), rate=self.rate)

    def ways(self, tensor: Tensor) -> int:
        return len(self._positions(tensor))

    def counted(self, tensor: Tensor, hits: NDArray[np.int64], network: Network) -> Iterator[Perturb]:
        bits = self._positions(tensor)
        for at, bit in enumerate(bits):
            elements = hits[hits % len(bits) == at] // len(bits)
            if elements.size:
                change = Change(combine="xor", bits=(bit,))
                yield Perturb(tensor=tensor.name, change=change, stream=tensor.name, elements=Index.of(elements))

    def _positions(self, tensor: Tensor) -> tuple[int, ...]:
        """Return the chosen positions in the tensor's number format, in ascending order."""
        dtype = COMPLEX.get(tensor.dtype, tensor.dtype)  # real and imaginary part are numbers with bits of their own
        if dtype not in FLOATS:
            return (0,)  # the core refuses the edit and names the tensor
        width, mantissa = _FORMATS[dtype]
        fields = {"sign": range(width - 1, width), "exponent": range(mantissa, width - 1), "mantissa": range(mantissa)}
        positions = {p for bit in self.bits for p in (fields[bit] if isinstance(bit, str) else (bit,))}
        if max(positions) >= width:
            raise UnsupportedError(
                f"BitFlip: {tensor.name!r} of dtype {tensor.dtype} has bits 0 to {width - 1}; received bit "
                f"{max(positions)}. Choose by field (bits='exponent'), or choose tensors of one dtype with `where`."
            )
        return tuple(sorted(positions))
