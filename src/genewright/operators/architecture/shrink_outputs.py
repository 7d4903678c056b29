"""Fewer outputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from genewright.edits import Edit
from genewright.index import Index
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.architecture.model_ends import find_end
from genewright.operators.architecture.removed_units import check_units, remaining
from genewright.references import NO_LAYER, LayerSetting
from genewright.seeding import Noise


@dataclass(frozen=True, kw_only=True)
class ShrinkOutputs(Operator):
    """Remove outputs: classes, regression targets, channels of a segmentation.

    y' = y[kept].

    Those that stay are as they were, in their order; where a softmax makes the outputs, the ratios among them. Numbers
    that the model keeps of its outputs follow, as with `GrowOutputs`.

    Args:
        layer: The layer that writes them, or one that holds it; None where the model has one such layer.
        units: Which ones go, by number; None for the last.

    Raises:
        SettingError: A unit does not exist, or none would stay.
        UnknownNameError: No layer is called so, or there are several such lengths.
        UnsupportedError: Something else keeps their number, which is named.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
        >>> less = gw.mutate(net, gw.ShrinkOutputs("2", units=(1,)), seed=1, example=torch.ones(1, 4))
        >>> bool(torch.allclose(less(torch.ones(1, 4)), net(torch.ones(1, 4))[:, [0, 2]]))
        True

    References:
        Nguyen et al., "A Survey of Machine Unlearning", arXiv:2209.02299, section 2 (whole classes that go).
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"ends"})

    layer: LayerSetting = field(default=NO_LAYER, kw_only=False)
    units: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        check_units(self, self.units)

    def note(self, networks: tuple[Network, ...]) -> str:
        end = find_end(networks[0], self.layer, "output")
        return end.note(Index.of(remaining(self, self.units, end.knob)))

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        """Yield the edits of every place, and of the numbers that follow."""
        end = find_end(networks[0], self.layer, "output")
        yield end.resized(Index.of(remaining(self, self.units, end.knob)))
