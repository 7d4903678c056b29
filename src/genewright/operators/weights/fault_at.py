"""One fault at a place of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

import numpy as np

from genewright.edits import Edit
from genewright.errors import SettingError
from genewright.network import Network
from genewright.operator import Operator, OperatorSetting
from genewright.operators.weights.bit_flip import BitFlip
from genewright.operators.weights.elementwise import Elementwise
from genewright.seeding import Noise
from genewright.settings import check_integer

_BIT: Any = BitFlip


@dataclass(frozen=True, kw_only=True)
class FaultAt(Operator):
    """Let an elementwise operator hit one place, said by its number.

    w'[e] = what `operator` makes of w[e], at the element e = place // n of all that it chooses, in way place mod n of
    the n in which it can be hit (the bits of `BitFlip`); tensors in the order of their names.

    So all faults that an operator can make are numbered, and each can be made by itself: `gw.fault_rate` draws from
    these numbers.

    Args:
        operator: An elementwise operator: `BitFlip`, `StuckAt`, `Zero`, `SetValue`, `SignFlip`, `Scale`, noise.
        place: The place's number, from 0.

    Raises:
        SettingError: `operator` is of another kind, or has no such place in this network.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(4, 2)
        >>> mutant = gw.mutate(net, gw.FaultAt(operator=gw.BitFlip(bits="sign"), place=1), seed=1)
        >>> (mutant.bias == -net.bias).tolist()
        [False, True]

    References:
        Leveugle et al., "Statistical Fault Injection: Quantified Error and Confidence", DATE 2009 (the faults of a
        system as a finite population, of which some are drawn).
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"shape"})

    operator: OperatorSetting = field(default_factory=_BIT)
    place: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.operator, Elementwise):
            raise SettingError(
                f"FaultAt: operator is one that changes elements one by one, such as gw.BitFlip(); received "
                f"{type(self.operator).__name__}."
            )
        check_integer(self, "place", self.place, low=0)

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        operator = cast(Elementwise, self.operator)
        places = operator.places(networks[0])
        if self.place >= places.size:
            raise SettingError(
                f"FaultAt: {type(operator).__name__} has {places.size:,} places in this network, numbered from 0; "
                f"received place={self.place:,}."
            )
        yield from operator.at(np.array([self.place], np.int64), places, networks[0])
