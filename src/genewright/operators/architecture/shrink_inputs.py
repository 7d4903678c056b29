"""Fewer inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from genewright.edits import Edit, Share
from genewright.errors import SettingError
from genewright.index import Index
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.architecture.model_ends import find_end
from genewright.operators.architecture.removed_units import check_units, remaining
from genewright.references import NO_LAYER, LayerSetting
from genewright.seeding import Noise
from genewright.settings import check_choice
from genewright.widths.knob import Knob
from genewright.widths.layouts import by_unit, layout_of


@dataclass(frozen=True, kw_only=True)
class ShrinkInputs(Operator):
    """Remove inputs: channels of an image (RGB to grey), features.

    y' = W[:, kept] x[kept] + b; with "sum" the removed columns are added to the one that stays.

    | weights | those of a removed input | the outputs stay |
    |---|---|---|
    | "drop" | go | where the removed inputs were 0 |
    | "sum" | are added to those of the one input that stays | where all inputs are alike, as in a grey image |

    Args:
        layer: The layer that reads them, or one that holds it; None where the model has one such input.
        units: Which ones go, by number; None for the last.
        weights: What becomes of their weights.

    Raises:
        SettingError: A unit does not exist, none would stay, or with "sum" more than one would.
        UnknownNameError: No layer is called so, or there are several such lengths.
        UnsupportedError: Something else keeps their number, which is named.

    Example:
        >>> import torch, genewright as gw
        >>> net, grey = torch.nn.Conv2d(3, 4, 3), torch.rand(1, 1, 8, 8)
        >>> model = torch.nn.Sequential(net, torch.nn.ReLU(), torch.nn.Conv2d(4, 2, 1))
        >>> operator = gw.ShrinkInputs("0", units=(1, 2), weights="sum")
        >>> less = gw.mutate(model, operator, seed=1, example=grey.repeat(1, 3, 1, 1))
        >>> bool(torch.allclose(less(grey), model(grey.repeat(1, 3, 1, 1)), atol=1e-6))
        True

    References:
        Carreira, Zisserman, "Quo Vadis, Action Recognition?", arXiv:1705.07750, section 2.4 (the way back: what was
        repeated and divided is added up).
    """

    layer: LayerSetting = field(default=NO_LAYER, kw_only=False)
    units: tuple[int, ...] | None = None
    weights: Literal["drop", "sum"] = "drop"

    def __post_init__(self) -> None:
        check_units(self, self.units)
        check_choice(self, "weights", self.weights, ("drop", "sum"))

    def note(self, networks: tuple[Network, ...]) -> str:
        end = find_end(networks[0], self.layer, "input")
        return end.note(Index.of(remaining(self, self.units, end.knob)))

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        """Yield the edits of every place, and of the numbers that follow."""
        end = find_end(networks[0], self.layer, "input")
        kept = remaining(self, self.units, end.knob)
        moved = end.resized(Index.of(kept))
        if self.weights == "sum":
            if len(kept) > 1:
                raise SettingError(
                    f"ShrinkInputs(weights='sum'): {len(kept)} inputs would stay, and it is not said to which of them "
                    "the others are added. Leave one, or write weights='drop'."
                )
            yield from _added_up(end.knob, kept[0])
        yield moved


def _added_up(knob: Knob, kept: int) -> Iterator[Edit]:
    for place in knob.places:
        if "reader" not in place.roles:
            continue
        at = by_unit(layout_of(place.layout, knob.leaf), knob.size)
        for unit in range(knob.size):
            if unit != kept:
                source, target = Index.of(at[unit]), Index.of(at[kept])
                yield Share(
                    tensor=place.tensor, axis=place.axis, source=source, target=target, share=np.ones(len(at[unit]))
                )
