"""More inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from genewright.edits import Edit, Gather, Map
from genewright.edits.functions import Scale
from genewright.errors import UnsupportedError
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.architecture.model_ends import appended, find_end
from genewright.operators.architecture.new_end_init import check_init, donors_of, fill
from genewright.part import along
from genewright.references import NO_LAYER, LayerSetting
from genewright.seeding import Noise
from genewright.settings import check_choice, check_integer
from genewright.widths import knob as widths
from genewright.widths.knob import Knob
from genewright.widths.layouts import by_unit

INITS = ("zero", "mean", "repeat")


@dataclass(frozen=True, kw_only=True)
class GrowInputs(Operator):
    """Add inputs beside those that there are: channels of an image (RGB to RGBA, grey to 12 bands), features.

    y' = W x + V u + b for new inputs u, with V as `init` says.

    | init | weights of a new input | the outputs stay |
    |---|---|---|
    | "zero" | 0 | whatever the new inputs hold |
    | "mean" | the mean of the old ones | where the new inputs are 0 |
    | "repeat" | those of the old ones in turn, shared out equally | where the new inputs repeat the old ones in turn |
    | {"copy": [0]} | those of input 0 | where the new inputs are 0 |

    Numbers that the model keeps of its inputs (`in_chans`, a config's `num_channels`) follow; the plan names others
    that have the old value. After the step the example has the new inputs too: they repeat the old ones, or are 0.

    Args:
        layer: The layer that reads them, or one that holds it; None where the model has one such input.
        num_units: How many are added.
        init: How their weights are filled.
        placement: "end": behind the old inputs; "start": before them.

    Raises:
        SettingError: A setting is out of its range.
        UnknownNameError: No layer is called so, or there are several such lengths.
        UnsupportedError: Something else keeps their number, or a norm over them would see the new ones: it is named.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 2, 1))
        >>> image = torch.rand(1, 4, 8, 8)
        >>> more = gw.mutate(net, gw.GrowInputs("0"), seed=1, example=image[:, :3])
        >>> bool(torch.allclose(more(image), net(image[:, :3])))
        True

    References:
        Chen, Goodfellow, Shlens, "Net2Net", arXiv:1511.05641, section 2.3 (zero and shared columns); Carreira,
        Zisserman, "Quo Vadis, Action Recognition?", arXiv:1705.07750, section 2.4 (weights repeated and divided).
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"ends"})

    layer: LayerSetting = field(default=NO_LAYER, kw_only=False)
    num_units: int = field(default=1, kw_only=False)
    init: Literal["zero", "mean", "repeat"] | Mapping[str, Any] = "zero"
    placement: Literal["end", "start"] = "end"

    def __post_init__(self) -> None:
        check_integer(self, "num_units", self.num_units, low=1)
        object.__setattr__(self, "init", check_init(self, self.init, INITS, self.num_units))
        check_choice(self, "placement", self.placement, ("end", "start"))

    def claims(self) -> frozenset[str]:
        return self.keeps if self.init in ("zero", "repeat") else frozenset()

    def note(self, networks: tuple[Network, ...]) -> str:
        end = find_end(networks[0], self.layer, "input")
        return end.note(appended(end.knob.size, self.num_units, None)[0])

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        """Yield the edits of every place, and of the numbers that follow."""
        network = networks[0]
        end = find_end(network, self.layer, "input")
        self._check_sees_units_apart(end.knob)
        donors = donors_of(self.init, end.knob, self)
        index, new = appended(end.knob.size, self.num_units, donors, first=self.placement == "start")

        def blank(place: widths.Place) -> bool:
            return "reader" in place.roles and self.init in ("zero", "mean")

        moved = end.resized(index, new=new, blank=blank, silent=self.init not in ("zero", "repeat"))
        yield moved
        yield from fill(self.init, moved, end.knob, network, role="reader")
        if self.init == "repeat":
            yield from _shared_out(moved, end.knob)

    def _check_sees_units_apart(self, knob: Knob) -> None:
        """Refuse to claim that the outputs stay where a norm over the inputs would see the new ones."""
        kept = self.init == "mean" or isinstance(self.init, Mapping)
        whole = self.init == "repeat" and self.num_units % knob.size == 0
        if kept or whole or not (knob.mixes or knob.norms):
            return
        norm = next((f"layer {layer!r} normalises over it" for layer, _ in knob.norms), "")
        raise UnsupportedError(
            f"GrowInputs: {knob.name!r} mixes its units, so that new ones would count: {norm or knob.mixes[0]}. "
            f"init='mean' grows it all the same, without the claim that the outputs stay."
        )


def _shared_out(moved: Gather, knob: Knob) -> Iterator[Edit]:
    """Yield the edits that divide what reads an input by the number of inputs that repeat it."""
    times = np.bincount(moved.index.array, minlength=knob.size)[moved.index.array]
    for place, edited in zip(knob.places, moved.places, strict=True):
        at = by_unit(edited.layout, moved.index.size)
        for count in np.unique(times[times > 1]) if "reader" in place.roles else ():
            positions = np.sort(at[times == count].reshape(-1))
            yield Map(tensor=place.tensor, function=Scale(by=1 / float(count)), part=along(place.axis, positions))
