"""Fewer bits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from genewright import edits
from genewright.edits import Edit, Map
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.weights.kernels import refuse_doubt
from genewright.seeding import Noise
from genewright.settings import check_choice, check_integer
from genewright.where import EVERYTHING, WhereSetting, as_where


@dataclass(frozen=True, kw_only=True)
class Quantize(Operator):
    """Round weights to the levels of a small integer type, and keep them as floats (fake quantisation).

    w' = s * round(w / s), ties to even, with the step s = m / Q, Q = 2^(bits - 1) - 1, and m the largest finite |w| of
    the tensor, or of the unit: 2 Q + 1 levels, symmetric about zero, so that zeros stay zero. Computed in
    float64 and rounded once. Nothing is random, and a second time changes nothing, bit for bit: a level that the
    tensor's own type cannot tell from its neighbours (many bits on a half type) leaves the weight as it is. NaN and
    infinity stay.

    Args:
        bits: Width of the integer type, from 2 to 16.
        per: "tensor": one step a tensor. "unit": one step a unit (output feature or channel), as per-channel schemes
            have.
        where: Which tensors and units; all trainable ones by default. Of chosen units, m is theirs alone.

    Raises:
        SettingError: A setting is out of its range.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(64, 8)
        >>> len(gw.mutate(net, gw.Quantize(bits=2), seed=1).weight.unique())
        3

    References:
        Krishnamoorthi, "Quantizing deep convolutional networks for efficient inference: A whitepaper",
        arXiv:1806.08342, section 2.2; Nagel et al., "A White Paper on Neural Network Quantization",
        arXiv:2106.08295, section 2.
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"shape"})
    version: ClassVar[int] = 2

    bits: int = field(default=8, kw_only=False)
    per: Literal["tensor", "unit"] = "tensor"
    where: WhereSetting = field(default_factory=EVERYTHING)

    def __post_init__(self) -> None:
        check_integer(self, "bits", self.bits, low=2, high=16)
        check_choice(self, "per", self.per, ("tensor", "unit"))
        object.__setattr__(self, "where", as_where(self.where))

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        chosen = self.where.select(networks[0])
        if self.per == "unit":
            refuse_doubt(chosen, type(self).__name__)
        for selected in chosen:
            tensor = selected.tensor
            axis = tensor.unit_axis if self.per == "unit" else None
            function = edits.functions.Quantize(bits=self.bits, axis=-1 if axis is None else axis)
            yield Map(tensor=tensor.name, function=function, part=selected.part)
