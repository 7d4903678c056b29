"""Narrowing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from genewright.edits import Edit
from genewright.errors import SettingError, UnsupportedError
from genewright.network import Network
from genewright.noise import uniform01
from genewright.operator import Operator
from genewright.operators.architecture.head_size import shrunk_heads
from genewright.operators.architecture.importance import choices, least_important
from genewright.operators.architecture.named_units import check_units, is_mask, numbers_of
from genewright.operators.architecture.shrink import shrunk
from genewright.operators.architecture.those_that_can import Chosen, note_of, those_that_can
from genewright.references import NO_LAYER, LayerSetting
from genewright.seeding import Noise
from genewright.settings import check_choice, check_integer, check_positive
from genewright.widths.grouped import grouped
from genewright.widths.knob import Knob
from genewright.widths.widths import Widths

REPAIRS = ("none", "least_squares")
_MEASURED = "Dead units are those of the least active_fraction. What else was measured on data is said by units=[0, 3]."


@dataclass(frozen=True, kw_only=True)
class Narrow(Operator):
    """Remove units from a layer, and from everything that has to fit.

    h' = h[kept]. The outputs stay where every removed unit is one of these:

    | removed unit | what becomes of it |
    |---|---|
    | unread: its columns are zero | nothing |
    | a copy of one that stays (same rows, biases, gains, statistics) | column' = column + removed column |
    | constant: its rows are zero | bias' = bias + value * removed column, with the value seen on the example |

    A constant that reaches a convolution with zeros around the image, or a layer without bias, cannot be folded.
    What a forward pass gave is used to 30 bits, so that it is the same on other machines; where a replay differs
    all the same, it says so.

    The channels before a group norm go by whole groups; `num_units` and `units` mean channels there, too.

    Args:
        layer: Name of a layer that writes the width, or of the knob; a pattern such as "layers.*.fc1" narrows each that
            it stands for; None lets the seed choose.
        factor: New size over old size, below 1. Say one of this, `num_units` and `units`; by default 0.75.
        num_units: How many units are removed.
        units: Which ones, by number; or a mask, True for those that go.
        by: Which ones where only their count is said. "magnitude": those with the smallest product of the norms of
            their rows and of their columns; "l1", "l2": with the smallest norm of their rows; "batchnorm": with the
            smallest gain; "random": drawn; "last": the last ones.
            Or a measure of `gw.neurons` by name, taken on the example: "active_fraction", "apoz", "constancy",
            "dormancy", "entropy", "incoming_norm", "mean", "outgoing_norm", "variance", "wanda". The recipe holds the
            units, so that a replay needs no example.
        repair: "least_squares": min |A_gone - [A_kept, 1] S|^2 for what readers receive on the example, a batch of
            real data; column' = column + S * removed columns. "none": no such repair.

    Raises:
        SettingError: A setting is out of its range, `factor` removes no unit, or none would stay.
        UnknownNameError: No layer is called so.
        UnsupportedError: The width is pinned; the reason is named, with file and line.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
        >>> slim = gw.mutate(net, gw.Narrow(layer="0", units=(1, 5)), seed=1, example=torch.zeros(1, 4))
        >>> slim[0].out_features
        6

    References:
        Li et al., "Pruning Filters for Efficient ConvNets", arXiv:1608.08710, section 3.1 (magnitude); Srinivas, Babu,
        "Data-free Parameter Pruning for Deep Neural Networks", arXiv:1507.06149, section 3 (copies are summed).
    """

    layer: LayerSetting = field(default=NO_LAYER, kw_only=False)
    factor: float | None = field(default=None, kw_only=False)
    num_units: int | None = None
    units: tuple[int, ...] | tuple[bool, ...] | None = None
    by: str = "magnitude"
    repair: Literal["none", "least_squares"] = "none"

    def __post_init__(self) -> None:
        said = [name for name in ("factor", "num_units", "units") if getattr(self, name) is not None]
        if len(said) > 1:
            raise SettingError(f"Narrow: say one of factor, num_units and units; received {' and '.join(said)}.")
        if self.units is not None:
            numbers = np.asarray(self.units)
            if numbers.ndim != 1:
                raise SettingError(
                    f"Narrow: units are numbers of units in a list, units=[{self.units!r}], or a mask; how many go is "
                    f"num_units={self.units!r}."
                )
            units: tuple[int, ...] = tuple(numbers.tolist())
            mask = is_mask(units)
            if not (any(units) if mask else units) or (not mask and len(set(units)) != len(units)):
                raise SettingError(f"Narrow: units are different numbers, at least one, or a mask; received {units!r}.")
            for unit in () if mask else units:
                check_integer(self, "units", unit, low=0)
            object.__setattr__(self, "units", units)
        elif self.num_units is not None:
            check_integer(self, "num_units", self.num_units, low=1)
        else:
            object.__setattr__(self, "factor", 0.75 if self.factor is None else self.factor)
            check_positive(self, "factor", self.factor)
            if self.factor is not None and self.factor >= 1:
                raise SettingError(f"Narrow: factor must be below 1; received {self.factor!r}. gw.Widen adds units.")
        check_choice(self, "by", self.by, choices(), otherwise=_MEASURED)
        check_choice(self, "repair", self.repair, REPAIRS)

    def resolve(self, networks: tuple[Network, ...], noise: Noise) -> Narrow:
        if self.layer is not None:
            return self
        widths: Widths = networks[0].structure.widths
        order = [knob for knob in widths.knobs() if not _obstacle(knob)]
        stream = noise.stream("layer")
        for turn in range(len(order)):
            knob = order.pop(int(uniform01(stream, turn) * len(order)))
            try:
                widths.resolve_attributes(knob, knob.size - self._removed(knob))
            except (UnsupportedError, SettingError):
                continue
            return replace(self, layer=knob.name)
        raise UnsupportedError("Narrow: no width of this network can shrink so. gw.knobs(model, example) says why.")

    def fits(self) -> bool:
        return self.repair == "least_squares"

    def note(self, networks: tuple[Network, ...]) -> str:
        return note_of(networks[0].structure.widths, self.layer, self._those_that_can)

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        """Yield the edits of every place, and of the attributes that follow."""
        network = networks[0]
        widths: Widths = network.structure.widths
        assert self.layer is not None
        channels = grouped(widths, self.layer)
        if channels is not None:
            said = channels.settings("Narrow", self.num_units, self.units)
            yield from replace(self, **said)._shrunk(channels.groups, network, noise)
            return
        for knob in self._those_that_can(widths)[0]:
            yield from self._shrunk(knob, network, noise)

    def _shrunk(self, knob: Knob, network: Network, noise: Noise) -> Iterator[Edit]:
        obstacle = _obstacle(knob)
        if obstacle:
            raise UnsupportedError(f"Narrow: {knob.name!r} {obstacle}")
        gone = self._chosen(knob, network, noise, self._removed(knob))
        if knob.kind == "head size":
            kept = [unit for unit in range(knob.size) if unit not in set(gone)]
            yield from shrunk_heads(knob, kept, network.structure.widths)
        else:
            yield from shrunk(knob, gone, network, repair=self.repair)

    def _those_that_can(self, widths: Widths) -> Chosen:
        return those_that_can("Narrow", self.layer, widths, _obstacle, lambda knob: knob.size - self._removed(knob))

    def _removed(self, knob: Knob) -> int:
        if self.units is not None:
            check_units("Narrow", self.units, knob)
            removed = len(numbers_of(self.units))
        elif self.num_units is not None:
            removed = self.num_units
        else:
            assert self.factor is not None
            removed = knob.size - round(knob.size * self.factor)
            if removed < 1:
                raise SettingError(
                    f"Narrow: {knob.size} units of {knob.name!r} times {self.factor:g} removes none. "
                    f"Write num_units=1, or a factor of at most {1 - 1 / knob.size:.3g}."
                )
        if removed >= knob.size:
            raise SettingError(
                f"Narrow: {knob.name!r} has {knob.size} units; removing {removed} leaves none. Remove at most "
                f"{knob.size - 1}, or take the layer out: gw.RemoveLayer."
            )
        return removed

    def _chosen(self, knob: Knob, network: Network, noise: Noise, count: int) -> tuple[int, ...]:
        if self.units is not None:
            return tuple(sorted(numbers_of(self.units)))
        return least_important(self.by, knob, count, network, noise)


def _obstacle(knob: Knob) -> str:
    if knob.pins:
        return f"cannot change: {knob.pins[0]}."
    if not any("writer" in place.roles for place in knob.places):
        return "is written by no layer."
    return ""
