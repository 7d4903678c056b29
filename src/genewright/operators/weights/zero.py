"""Zeroing of weights."""

from __future__ import annotations

from dataclasses import dataclass, field

from genewright.errors import SelectionError
from genewright.network import Network
from genewright.noise import Change
from genewright.operators.weights.elementwise import Elementwise
from genewright.tensor import Tensor
from genewright.units import is_direction
from genewright.where import Selected


@dataclass(frozen=True, kw_only=True)
class Zero(Elementwise):
    """Set a share of the elements to zero.

    w' = +0 for each element with probability `rate`, independently, whatever it was: NaN and infinity too.

    Directions under weight_norm stay: one of zeros would be NaN, and it is the gain that silences a unit.

    Args:
        rate: Share of the elements that become zero, in [0, 1].
        count: Instead of `rate`, exactly how many of all chosen elements; those of a count are among those of a
            higher one.
        where: Which tensors and units; all trainable ones by default.

    Raises:
        SettingError: A setting is out of its range.
        SelectionError: `where` chooses nothing but directions.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(4, 2)
        >>> gw.mutate(net, gw.Zero(rate=1.0, where="bias"), seed=1).bias.tolist()
        [0.0, 0.0]

    References:
        LeCun, Denker and Solla, "Optimal Brain Damage", NeurIPS 1989 (weights set to zero for good); Wan et al.,
        "Regularization of Neural Networks using DropConnect", ICML 2013, section 3 (a random mask on weights).
    """

    rate: float = field(default=0.01, kw_only=False)

    def chosen(self, network: Network) -> list[Selected]:
        found = self.where.select(network)
        kept = [selected for selected in found if not is_direction(selected.tensor, network)]
        if not kept:
            raise SelectionError(
                f"Zero: {found[0].tensor.name!r} holds directions, whose lengths are gains beside it (weight_norm): "
                f"zeros there would be NaN. Choose the layer: where={found[0].tensor.layer!r}."
            )
        return kept

    def change(self, tensor: Tensor, network: Network) -> Change:
        return Change(combine="replace", distribution="constant", scale=0.0, rate=self.rate)
