"""Accumulate: the weighted noise of many seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from genewright.edits.edit import View
from genewright.edits.members import fault_of, rounding_stream, sum_of
from genewright.edits.site import Site
from genewright.edits.values import ValueEdit
from genewright.part import Part
from genewright.tensor import Tensor


@dataclass(frozen=True, kw_only=True)
class Accumulate(ValueEdit):
    """w' = w + (-decay w + sum_i a_i z(seed_i)), in one pass over the tensor where it lies; see `noise.WeightedSum`.

    Attributes:
        tensor: The tensor's name.
        members: Pairs (seed_i, a_i).
        salt: The name of the operator that drew the z.
        noise_rate: Its rate.
        rank: Its rank; 0 for noise of full rank.
        decay: What of the old values is subtracted.
        rounding: "nearest" or "stochastic", of half types.
        part: The elements that may change; an element's noise is the same in every part that holds it.
    """

    tensor: str
    members: Any
    salt: str
    noise_rate: float = 1.0
    rank: int = 0
    decay: float = 0.0
    rounding: str = "nearest"
    part: Part = ()

    def check_tensor(self, tensor: Tensor, views: Sequence[View]) -> None:
        fault = fault_of(self.members, rate=self.noise_rate, rank=self.rank, shape=tensor.shape, rounding=self.rounding)
        if fault:
            raise self.mismatch(tensor, fault)

    def rounds(self, view: View) -> bool:
        return view.tensor(self.tensor).dtype != "float64"

    def apply(self, site: Site) -> None:
        tensor = site.store.tensor(self.tensor)
        change = sum_of(
            self.members,
            tensor.name,
            tensor.shape,
            salt=self.salt,
            rate=self.noise_rate,
            rank=self.rank,
            decay=self.decay,
            rounding=self.rounding,
        )
        site.perturb(self.tensor, change, rounding_stream(self.members, tensor.name), self.part)

    def rate(self) -> float:
        return 1 - (1 - self.noise_rate) ** sum(weight != 0 for _, weight in self.members)

    def words(self) -> str:
        kind = f" of rank {self.rank}" if self.rank else f", rate {self.noise_rate:g}" if self.noise_rate < 1 else ""
        return f"w + {len(self.members)} weighted directions{kind}"
