"""Widening."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from genewright.edits import Edit
from genewright.errors import SettingError, UnsupportedError
from genewright.network import Network
from genewright.noise import uniform01
from genewright.operator import Operator
from genewright.operators.architecture.head_size import grown_heads, growth
from genewright.operators.architecture.new_unit_init import NEW_UNIT_INITS
from genewright.operators.architecture.new_unit_init import growth as new_units
from genewright.operators.architecture.those_that_can import Chosen, note_of, those_that_can
from genewright.references import NO_LAYER, LayerSetting
from genewright.seeding import Noise
from genewright.settings import check_choice, check_integer, check_positive
from genewright.widths.grouped import grouped
from genewright.widths.knob import Knob
from genewright.widths.widths import Widths

INITS = ("split", "silent", "pair", "noise")
PLACEMENTS = ("end", "both")


@dataclass(frozen=True, kw_only=True)
class Widen(Operator):
    """Add units to a layer, and to everything that has to fit.

    h' = [h, h[u]] for drawn units u, with columns V' such that V' h' = V h, where init="split".

    A width stands in many tensors: the rows of who writes it, the columns of who reads it, biases, gains and
    statistics beside it, attributes such as `out_channels`. All of them change together (`gw.knobs` shows them).

    | init | new rows | new columns | outputs |
    |---|---|---|---|
    | "split" | copies of drawn units | the copied unit's columns, shared out unequally | kept |
    | "silent" | drawn at the layer's own spread | zero | kept |
    | "pair" | drawn; two units have the same | drawn, once with each sign | kept |
    | "noise" | drawn at the layer's own spread | drawn likewise | changed |

    The size of attention heads is such a width (`gw.knobs` calls it "head size"); the values' size follows where the
    code has one number for both. New queries are zero, new keys and values drawn, new columns zero; all queries are
    multiplied by sqrt(d' / d) where the scale of the scores derives from the size d. That is exact for d' = 4 d, and
    otherwise rounded to the weights' dtype: float32 weights keep the outputs to about 1e-6.

    The channels before a group norm come by whole groups; `num_units` means channels there, too.

    Args:
        layer: Name of a layer that writes the width, or of the knob; a pattern such as "layers.*.fc1" widens each that
            it stands for and that can grow, all alike; None lets the seed choose among those that can.
        factor: New size over old size, above 1. Say this or `num_units`; by default 1.5.
        num_units: How many units are added.
        init: How they are filled.
        placement: "end": after the old ones; "both": half of them before, half after.

    Raises:
        SettingError: A setting is out of its range, or `factor` adds no unit.
        UnknownNameError: No layer is called so.
        UnsupportedError: The width is pinned, or its units depend on each other other than through weights, so that no
            filling keeps the outputs; the reason is named, with file and line.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
        >>> wide = gw.mutate(net, gw.Widen(layer="0", factor=1.5), seed=1, example=torch.zeros(1, 4))
        >>> wide[0].out_features
        12

    References:
        Chen, Goodfellow, Shlens, "Net2Net", arXiv:1511.05641, section 2.3 ("split"); Evci et al., "GradMax",
        arXiv:2201.05125 (zero columns); Yuan et al., "Accelerated Training via Incrementally Growing Neural
        Networks", arXiv:2306.12700 (units that see each other's growth).
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"function"})

    layer: LayerSetting = field(default=NO_LAYER, kw_only=False)
    factor: float | None = field(default=None, kw_only=False)
    num_units: int | None = None
    init: Literal["split", "silent", "pair", "noise"] = "split"
    placement: Literal["end", "both"] = "end"

    def __post_init__(self) -> None:
        if self.factor is not None and self.num_units is not None:
            raise SettingError("Widen: say factor or num_units, not both.")
        if self.num_units is not None:
            check_integer(self, "num_units", self.num_units, low=1)
        else:
            object.__setattr__(self, "factor", 1.5 if self.factor is None else self.factor)
            check_positive(self, "factor", self.factor)
            if self.factor is not None and self.factor <= 1:
                raise SettingError(f"Widen: factor must be above 1; received {self.factor!r}. gw.Narrow removes units.")
        check_choice(self, "init", self.init, INITS)
        check_choice(self, "placement", self.placement, PLACEMENTS)

    def claims(self) -> frozenset[str]:
        return frozenset() if self.init == "noise" else self.keeps

    def resolve(self, networks: tuple[Network, ...], noise: Noise) -> Widen:
        if self.layer is not None:
            return self
        widths: Widths = networks[0].structure.widths
        order = [knob for knob in widths.knobs() if not _obstacle(knob, self) and not _grows_heads(knob, self)]
        stream = noise.stream("layer")
        for turn in range(len(order)):
            knob = order.pop(int(uniform01(stream, turn) * len(order)))
            try:
                widths.resolve_attributes(knob, knob.size + self._added(knob))
            except (UnsupportedError, SettingError):
                continue
            return replace(self, layer=knob.name)
        raise UnsupportedError("Widen: no width of this network can grow so. gw.knobs(model, example) says why.")

    def note(self, networks: tuple[Network, ...]) -> str:
        return note_of(networks[0].structure.widths, self.layer, self._those_that_can)

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        """Yield the edits of every place, and of the attributes that follow."""
        network = networks[0]
        widths: Widths = network.structure.widths
        assert self.layer is not None
        channels = grouped(widths, self.layer)
        if channels is not None:
            yield from replace(self, **channels.settings("Widen", self.num_units))._grown(
                channels.groups, network, noise
            )
            return
        for knob in self._those_that_can(widths)[0]:
            yield from self._grown(knob, network, noise)

    def _grown(self, knob: Knob, network: Network, noise: Noise) -> Iterator[Edit]:
        obstacle = _obstacle(knob, self)
        if obstacle:
            raise UnsupportedError(f"Widen(init={self.init!r}): {knob.name!r} {obstacle}")
        added = self._added(knob)
        if _grows_heads(knob, self):
            yield from grown_heads(growth(knob, knob.size + added, network.structure.widths), network)
            return
        if self.init == "pair" and added % 2:
            raise SettingError(f"Widen(init='pair'): {added} units make no pairs. Write num_units={added + 1}.")
        attributes = network.structure.widths.resolve_attributes(knob, knob.size + added)
        grown = new_units(knob, added, attributes, init=self.init, placement=self.placement, noise=noise)
        yield from NEW_UNIT_INITS[self.init](grown, network, noise)

    def _those_that_can(self, widths: Widths) -> Chosen:
        def size(knob: Knob) -> int | None:
            return None if _grows_heads(knob, self) else knob.size + self._added(knob)

        return those_that_can("Widen", self.layer, widths, lambda knob: _obstacle(knob, self), size)

    def _added(self, knob: Knob) -> int:
        if self.num_units is not None:
            return self.num_units
        assert self.factor is not None
        added = round(knob.size * self.factor) - knob.size
        if added < 1:
            raise SettingError(
                f"Widen: {knob.size} units of {knob.name!r} times {self.factor:g} adds none. Write num_units=1, or a "
                f"factor of at least {1 + 1 / knob.size:.3g}."
            )
        if self.init == "pair":
            added += added % 2
        return added


def _grows_heads(knob: Knob, operator: Widen) -> bool:
    """Whether the units are those of queries and keys, whose products are summed up."""
    return knob.contracted and not knob.norms and operator.init in ("split", "silent")


def _obstacle(knob: Knob, operator: Widen) -> str:
    """Return why the operator cannot widen `knob`, or ""."""
    if knob.pins:
        return f"cannot change: {knob.pins[0]}."
    readers = [place for place in knob.places if "reader" in place.roles]
    if not any("writer" in place.roles for place in knob.places):
        return "is written by no layer."
    if operator.init == "noise":
        return ""
    if _grows_heads(knob, operator):
        return "cannot grow on both sides: its heads are filled at the end." if operator.placement == "both" else ""
    if knob.mixes:
        return f"mixes its units, so that new ones would count: {knob.mixes[0]}. init='noise' widens it all the same."
    if knob.norms:
        layer, kind = knob.norms[0]
        return (
            f"runs through the {kind} norm {layer!r}, which looks across units. gw.WidenStream widens it; "
            "init='noise' widens it without keeping the outputs."
        )
    if not readers:
        return "is read by no weights that could leave the new units out."
    both = [place.tensor for place in readers if "writer" in place.roles]
    if both:
        return f"is written and read by the same axis of {both[0]!r}."
    return ""
