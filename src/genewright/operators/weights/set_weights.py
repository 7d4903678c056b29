"""Weights that are given as numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from genewright.edits import Assign, Edit
from genewright.errors import SettingError
from genewright.network import Network
from genewright.operator import Operator
from genewright.packed import packed, unpacked
from genewright.part import part_shape
from genewright.seeding import Noise
from genewright.where import EVERYTHING, WhereSetting, as_where


@dataclass(frozen=True, kw_only=True)
class SetWeights(Operator):
    """Write given numbers into the chosen tensors: w = values, one after the other.

    The values follow the network's own order of tensors, each in row-major order. A search in the space of all weights,
    as CMA-ES is, tells its points this way. One value is written everywhere.

    Args:
        values: A finite number for each chosen element, or one for all.
        where: Which tensors and units; all trainable ones by default.

    Raises:
        SettingError: A value is not finite, or there are too many or too few.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(2, 1)
        >>> mutant = gw.mutate(net, gw.SetWeights(values=(1.0, 2.0, 3.0)), seed=1)
        >>> mutant.weight.tolist(), mutant.bias.tolist()
        ([[1.0, 2.0]], [3.0])

    References:
        Hansen, "The CMA Evolution Strategy: A Tutorial", arXiv:1604.00772 (points of a search in R^n).
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"shape"})

    values: tuple[float, ...] = field(default=(0.0,), kw_only=False)
    where: WhereSetting = field(default_factory=EVERYTHING)

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", unpacked("SetWeights", "values", self.values, "f8"))
        object.__setattr__(self, "where", as_where(self.where))

    def settings(self) -> dict[str, Any]:
        """Return every setting; the values as a text of eight bytes a number."""
        rest = super(SetWeights, replace(self, values=(0.0,))).settings()
        return {**rest, "values": packed(self.values, "f8")}

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        chosen = self.where.select(networks[0])
        shapes = [part_shape(selected.part, selected.tensor.shape) for selected in chosen]
        total = sum(map(math.prod, shapes))
        if len(self.values) not in (1, total):
            raise SettingError(
                f"SetWeights: {total} elements are chosen, and {len(self.values)} values given. Give one for each, or "
                "one for all."
            )
        values = np.broadcast_to(np.array(self.values), total)
        start = 0
        for selected, shape in zip(chosen, shapes, strict=True):
            size = math.prod(shape)
            part = values[start : start + size].reshape(shape).copy()
            yield Assign(tensor=selected.tensor.name, values=part, part=selected.part)
            start += size
