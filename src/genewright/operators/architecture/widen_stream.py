"""Widening the residual stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from genewright.edits import Edit
from genewright.errors import SettingError, UnsupportedError
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.architecture.new_channel_init import NEW_CHANNEL_INITS
from genewright.references import NO_LAYER, LayerSetting
from genewright.seeding import Noise
from genewright.settings import check_choice, check_integer, check_positive
from genewright.widths.knob import Knob
from genewright.widths.reasons import Cause
from genewright.widths.widths import Widths

INITS = ("pad", "replicate")


@dataclass(frozen=True, kw_only=True)
class WidenStream(Operator):
    """Widen a width that runs through norms across its units, as the residual stream of a transformer does.

    x' = [x, 0], or x' = [x, ..., x], with gains and columns such that every reader receives what it received.

    With D units before and D' after, "pad" works where every reader sits behind a norm:

        RMSNorm    new units are zero;               gain' = [gain * sqrt(D / D'), 0], eps' = eps * D / D'
        LayerNorm  new units are the mean of the old ones; gain' likewise, shift' = [shift, 0], eps' likewise

    "replicate" repeats the units k = D' / D times and divides the columns that read them by k: mean and variance stay,
    so it works where norms come after the addition, too. Where embedding and output are one tensor, the gain and shift
    of the last norm are divided in the place of that tensor.

    "replicate" by 2, 4, 8, ... is exact in every dtype. All else rounds gains, means or columns to the weights' dtype:
    float64 weights keep the outputs to 1e-9, float32 weights to about 1e-6 (checked to 1e-5), halves are refused. For
    fewer than D new units nothing exact exists: without another gain their mean square would have to be that of the
    old ones whatever those are, and fewer than D sums of D numbers are all zero for some of them.

    Args:
        layer: Name of a layer that writes the stream, or of the knob; None takes the widest one with norms.
        factor: New size over old size, above 1; a whole number for "replicate". Say this or `num_units`; by default 2.
        num_units: How many units are added.
        init: "pad" or "replicate".

    Raises:
        SettingError: A setting is out of its range, or `factor` adds no unit.
        UnknownNameError: No layer is called so.
        UnsupportedError: The width is pinned, runs through no norm, or is mixed by something else than norms.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.LayerNorm(8), torch.nn.Linear(8, 2))
        >>> wide = gw.mutate(net, gw.WidenStream(num_units=3), seed=1, example=torch.ones(1, 4))
        >>> wide[1].normalized_shape
        (11,)

    References:
        Chen et al., "bert2BERT", arXiv:2110.07143; Samragh et al., "Scaling Smart", arXiv:2409.12903 (replicate).
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"function"})

    layer: LayerSetting = field(default=NO_LAYER, kw_only=False)
    factor: float | None = field(default=None, kw_only=False)
    num_units: int | None = None
    init: Literal["pad", "replicate"] = "pad"

    def __post_init__(self) -> None:
        if self.factor is not None and self.num_units is not None:
            raise SettingError("WidenStream: say factor or num_units, not both.")
        if self.num_units is not None:
            check_integer(self, "num_units", self.num_units, low=1)
        else:
            object.__setattr__(self, "factor", 2.0 if self.factor is None else self.factor)
            check_positive(self, "factor", self.factor)
            if self.factor is not None and self.factor <= 1:
                raise SettingError(f"WidenStream: factor must be above 1; received {self.factor!r}.")
        check_choice(self, "init", self.init, INITS)

    def resolve(self, networks: tuple[Network, ...], noise: Noise) -> WidenStream:
        if self.layer is not None:
            return self
        widths = networks[0].structure.widths
        streams = [knob for knob in widths.knobs() if not (_obstacle(knob) or self._nonlinearity(knob, widths))]
        if not streams:
            why = self._why(widths)
            raise UnsupportedError(f"WidenStream: no free width of this network runs through a norm across its {why}")
        return replace(self, layer=max(streams, key=lambda knob: len(knob.places)).name)

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        """Yield the edits of every place, and of the attributes that follow."""
        network = networks[0]
        widths: Widths = network.structure.widths
        assert self.layer is not None
        knob = widths.find(self.layer)
        obstacle = _obstacle(knob) or self._nonlinearity(knob, widths)
        if obstacle:
            raise UnsupportedError(f"WidenStream: {knob.name!r} {obstacle}")
        size = self._size(knob)
        yield from NEW_CHANNEL_INITS[self.init](knob, size, widths.resolve_attributes(knob, size), network, widths)

    def _why(self, widths: Widths) -> str:
        """Return why the first width that runs through a norm cannot grow."""
        first = next((knob for knob in widths.knobs() if any(kind == "layer" for _, kind in knob.norms)), None)
        if first is None:
            return "units."
        return f"units and can grow: {first.name!r} {_obstacle(first) or self._nonlinearity(first, widths)}"

    def _nonlinearity(self, knob: Knob, widths: Widths) -> str:
        """Return why new channels that are the mean of the old ones would not be so at a norm."""
        if self.init != "pad":
            return ""
        centred = [layer for layer, kind in knob.norms if kind == "layer" and widths.subtracts_mean(layer)]
        found = next(filter(None, map(widths.nonlinearity_before, centred)), None)
        return f"cannot be padded: {found}. Take init='replicate'." if found else ""

    def _size_of(self, old: int) -> int:
        return old + self.num_units if self.num_units is not None else round(old * (self.factor or 1))

    def _size(self, knob: Knob) -> int:
        size = self._size_of(knob.size)
        if size <= knob.size:
            raise SettingError(f"WidenStream: {knob.size} units times {self.factor} adds none. Write num_units=1.")
        if self.init == "replicate" and size % knob.size:
            raise SettingError(
                f"WidenStream(init='replicate'): {size} units are no multiple of {knob.size}. "
                "Write factor=2, or init='pad'."
            )
        return size


def _obstacle(knob: Knob) -> str:
    if knob.pins:
        return f"cannot change: {knob.pins[0]}."
    if not any(kind == "layer" for _, kind in knob.norms) and not knob.normalised:
        return "runs through no norm across its units. gw.Widen widens it."
    if knob.mixes and not knob.normalised:
        other = next(reason for reason in knob.mixes if reason.cause is not Cause.AVERAGED)
        return f"is mixed by more than norms: {other}."
    if any(kind == "group" for _, kind in knob.norms):
        return "runs through a group norm."
    return ""
