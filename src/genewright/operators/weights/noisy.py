"""What the operators share that add noise of a given strength."""

from __future__ import annotations

import functools
import math
from abc import ABC
from dataclasses import dataclass
from typing import ClassVar, Literal

from genewright.errors import UnsupportedError
from genewright.network import Network
from genewright.noise import Change
from genewright.operators.weights.elementwise import Elementwise
from genewright.operators.weights.unit import unit_of
from genewright.settings import check_choice, check_nonnegative
from genewright.tensor import COMPLEX, FLOATS, Tensor

RELATIVE_TO = ("none", "tensor", "weight")
ROUNDING = ("nearest", "stochastic")


@functools.lru_cache(maxsize=256)  # all tensors of a mutation have the same one, unless it is relative to each
def _change(
    combine: Literal["add", "add_relative"],
    distribution: str,
    scale: float,
    rate: float,
    rounding: Literal["nearest", "stochastic"],
) -> Change:
    return Change(combine=combine, distribution=distribution, scale=scale, rate=rate, rounding=rounding)


@dataclass(frozen=True, kw_only=True)
class Noisy(Elementwise, ABC):
    """Adds draws of a distribution, times a strength, to a share of the elements.

    Attributes:
        strength: Name of the setting that holds the strength.
        distribution: Name of the distribution (see `genewright.noise.draw`).
    """

    strength: ClassVar[str]
    distribution: ClassVar[str]

    relative_to: Literal["none", "tensor", "weight"] = "none"
    rounding: Literal["nearest", "stochastic"] = "nearest"

    def check(self) -> None:
        """Refuse a negative strength and unknown choices."""
        value = getattr(self, self.strength)
        check_nonnegative(self, self.strength, value)
        object.__setattr__(self, self.strength, float(value))
        check_choice(self, "relative_to", self.relative_to, RELATIVE_TO)
        check_choice(self, "rounding", self.rounding, ROUNDING)

    def change(self, tensor: Tensor, network: Network) -> Change:
        """Return the noise for `tensor`, its strength in the tensor's own units."""
        scale: float = getattr(self, self.strength)
        if self.relative_to == "tensor" and tensor.dtype in (*FLOATS, *COMPLEX):
            scale = self._in_spreads(scale, tensor, network)
        combine = "add_relative" if self.relative_to == "weight" else "add"
        return _change(combine, self.distribution, scale, self.rate, self.rounding)

    def _in_spreads(self, strength: float, tensor: Tensor, network: Network) -> float:
        size = unit_of(tensor, network)
        if not math.isfinite(size * strength):
            trouble = (
                f"{self.strength}={strength} times its spread {size} is out of range"
                if math.isfinite(size)
                else "it holds NaN or infinity, so it has no spread"
            )
            raise UnsupportedError(
                f"{type(self).__name__}(relative_to='tensor') on {tensor.name!r}: {trouble}. "
                f"Leave it out (where=('*', '!{tensor.name}')), or use relative_to='none'."
            )
        return size * strength
