"""Back to stored values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from genewright.edits import Edit
from genewright.errors import SettingError
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.sharing.stored_values import stored_values
from genewright.references import DonorSetting, as_donor
from genewright.seeding import Noise
from genewright.where import EVERYTHING, WhereSetting, as_where

_START: Any = "start"


@dataclass(frozen=True, kw_only=True)
class Rewind(Operator):
    """Set weights back to those of the same names in a checkpoint, and leave what is zero zero.

    w' = stored w where w is not 0, else 0: after `MaskSmallest` the rest of the network starts again where it was.
    Bits are copied; where the dtypes differ, values are rounded once. `SetWeights(source=...)` is the same without
    regard to zeros; `Transfer` takes weights of other names and shapes.

    Args:
        to: What to go back to: a model, a state dict, a checkpoint's path, or a name in ``donors={...}``.
        keep_zeros: Leave zeros; False sets every chosen weight.
        where: Which tensors and units; all trainable ones by default.

    Raises:
        SettingError: `keep_zeros` is no bool, or `to` nothing that weights come from.
        UnknownNameError: The donor has no tensor of that name.
        UnsupportedError: A shape is another.

    Example:
        >>> import copy, torch, genewright as gw
        >>> net = torch.nn.Linear(8, 8)
        >>> start = copy.deepcopy(net)
        >>> _ = torch.nn.init.normal_(net.weight)  # training, in short
        >>> sparse = gw.mutate(net, [gw.MaskSmallest(0.5), gw.Rewind(to=start)], seed=1)
        >>> kept = sparse.weight != 0
        >>> int(kept.sum()), torch.equal(sparse.weight[kept], start.weight[kept])
        (32, True)

    References:
        Frankle, Carbin, "The Lottery Ticket Hypothesis", arXiv:1803.03635, section 1; Frankle et al., "Linear Mode
        Connectivity and the Lottery Ticket Hypothesis", arXiv:1912.05671, section 4 (rewinding to early training).
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"shape"})

    to: DonorSetting = field(default=_START, kw_only=False)
    keep_zeros: bool = True
    where: WhereSetting = field(default_factory=EVERYTHING)

    def __post_init__(self) -> None:
        if type(self.keep_zeros) is not bool:
            raise SettingError(f"Rewind: keep_zeros is True or False; received {self.keep_zeros!r}.")
        object.__setattr__(self, "to", as_donor(self, "to", self.to))
        object.__setattr__(self, "where", as_where(self.where))

    def donors(self) -> tuple[str, ...]:
        return (self.to,)

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        """Yield one edit for every chosen tensor."""
        yield from stored_values("Rewind", self.where, *networks, keep_zeros=self.keep_zeros)
