"""Weights that are given: as numbers, or as those of another model or file."""

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
from genewright.operators.sharing.stored_values import stored_values
from genewright.packed import packed, unpacked
from genewright.part import part_shape
from genewright.references import DonorSetting, as_donor
from genewright.seeding import Noise
from genewright.where import EVERYTHING, WhereSetting, as_where


@dataclass(frozen=True, kw_only=True)
class SetWeights(Operator):
    """Write given weights into the chosen tensors: w' = v, of another model or file, or given numbers.

    From a `source` each chosen tensor takes the values of the tensor of the same name: bits are copied; where the
    dtypes differ, values are rounded once. The recipe knows the source by its fingerprint. `Rewind` is this for a
    network with masks, whose zeros stay (``Rewind(to, keep_zeros=False)`` writes what this does); `Transfer` takes
    weights of other names and shapes.

    Numbers follow the network's own order of tensors, each in row-major order. A search in the space of all weights, as
    CMA-ES is, tells its points this way. One value is written everywhere.

    Args:
        source: Where weights come from: a model, a state dict, a checkpoint's path, or a name in ``donors={...}``.
        values: In its place, a finite number for each chosen element, or one for all; 0 where neither is given.
        where: Which tensors and units; all trainable ones by default.

    Raises:
        SettingError: A value is not finite, there are too many or too few, or both `source` and `values` are given.
        UnknownNameError: The source has no tensor of that name.
        UnsupportedError: A shape is another.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(2, 1)
        >>> mutant = gw.mutate(net, gw.SetWeights(values=(1.0, 2.0, 3.0)), seed=1)
        >>> mutant.weight.tolist(), mutant.bias.tolist()
        ([[1.0, 2.0]], [3.0])
        >>> trained = gw.mutate(net, gw.SetWeights({"bias": torch.tensor([7.0])}, where="bias"), seed=1)
        >>> trained.bias.tolist(), torch.equal(trained.weight, net.weight)
        ([7.0], True)

    References:
        Hansen, "The CMA Evolution Strategy: A Tutorial", arXiv:1604.00772 (points of a search in R^n).
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"shape"})

    source: DonorSetting | None = field(default=None, kw_only=False)
    values: tuple[float, ...] | None = None
    where: WhereSetting = field(default_factory=EVERYTHING)

    def __post_init__(self) -> None:
        if isinstance(self.source, list | tuple | np.ndarray):  # numbers by position
            object.__setattr__(self, "values", self.source if self.values is None else self.values)
            object.__setattr__(self, "source", None)
        if self.source is not None and self.values is not None:
            raise SettingError("SetWeights: weights come from source, or are values; both are given. Leave one out.")
        if self.source is not None:
            object.__setattr__(self, "source", as_donor(self, "source", self.source))
        else:
            given = (0.0,) if self.values is None else self.values
            object.__setattr__(self, "values", unpacked("SetWeights", "values", given, "f8"))
        object.__setattr__(self, "where", as_where(self.where))

    def settings(self) -> dict[str, Any]:
        """Return every setting; the values as a text of eight bytes a number."""
        if self.values is None:
            return super().settings()
        rest = super(SetWeights, replace(self, values=(0.0,))).settings()
        return {**rest, "values": packed(self.values, "f8")}

    def donors(self) -> tuple[str, ...]:
        return () if self.source is None else (self.source,)

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        if self.source is not None:
            yield from stored_values("SetWeights", self.where, *networks, keep_zeros=False)
        else:
            yield from self._numbers(networks[0], self.values or ())

    def _numbers(self, network: Network, values: tuple[float, ...]) -> Iterator[Edit]:
        chosen = self.where.select(network)
        shapes = [part_shape(selected.part, selected.tensor.shape) for selected in chosen]
        total = sum(map(math.prod, shapes))
        if len(values) not in (1, total):
            raise SettingError(
                f"SetWeights: {total} elements are chosen, and {len(values)} values given. Give one for each, or "
                "one for all."
            )
        numbers = np.broadcast_to(np.array(values), total)
        start = 0
        for selected, shape in zip(chosen, shapes, strict=True):
            size = math.prod(shape)
            part = numbers[start : start + size].reshape(shape).copy()
            yield Assign(tensor=selected.tensor.name, values=part, part=selected.part)
            start += size
