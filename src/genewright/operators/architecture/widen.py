"""Widening."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from genewright.edit import Edit, Write
from genewright.errors import SettingError, UnsupportedError
from genewright.network import Network
from genewright.noise import uniform01
from genewright.operator import Operator
from genewright.operators.architecture.moving import draw, gather, rounded, set_attributes
from genewright.seeding import Noise
from genewright.settings import check_choice, check_integer, check_positive
from genewright.widths.knob import Knob, Place
from genewright.widths.widths import Widths

INITS = ("split", "silent", "pair", "noise")
PLACEMENTS = ("end", "both")


@dataclass(frozen=True, kw_only=True)
class Widen(Operator):
    """Add units to a layer, and to everything that has to fit.

    A width stands in many tensors: the rows of who writes it, the columns of who reads it, biases, gains and
    statistics beside it, attributes such as `out_channels`. All of them change together (`gw.knobs` shows them).

    | init | new rows | new columns | outputs |
    |---|---|---|---|
    | "split" | copies of drawn units | the copied unit's columns, shared out unequally | kept |
    | "silent" | drawn at the layer's own spread | zero | kept |
    | "pair" | drawn; two units have the same | drawn, once with each sign | kept |
    | "noise" | drawn at the layer's own spread | drawn likewise | changed |

    Args:
        layer: Name of a layer that writes the width, or of the knob; None lets the seed choose among those that allow it.
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

    layer: str | None = None
    factor: float | None = None
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

    def settled(self, network: Network, noise: Noise) -> Widen:
        if self.layer is not None:
            return self
        widths: Widths = network.structure.widths
        order = [knob for knob in widths.knobs() if not _obstacle(knob, self)]
        stream = noise.stream("layer")
        for turn in range(len(order)):
            knob = order.pop(int(uniform01(stream, turn) * len(order)))
            try:
                widths.settle(knob, knob.size + self._added(knob))
            except (UnsupportedError, SettingError):
                continue
            return replace(self, layer=knob.name)
        raise UnsupportedError("Widen: no width of this network can grow so. gw.knobs(model, example) says why.")

    def propose(self, network: Network, noise: Noise) -> Iterator[Edit]:
        """Yield the edits of every place, and of the attributes that follow."""
        widths: Widths = network.structure.widths
        assert self.layer is not None
        knob = widths.find(self.layer)
        obstacle = _obstacle(knob, self)
        if obstacle:
            raise UnsupportedError(f"Widen(init={self.init!r}): {knob.name!r} {obstacle}")
        added = self._added(knob)
        if self.init == "pair" and added % 2:
            raise SettingError(f"Widen(init='pair'): {added} units make no pairs. Write num_units={added + 1}.")
        attributes = widths.settle(knob, knob.size + added)
        yield from set_attributes(attributes)
        yield from _FILLS[self.init](knob, _index(knob, added, self, noise), network, noise)

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


def _obstacle(knob: Knob, operator: Widen) -> str:
    """Return why the operator cannot widen `knob`, or ""."""
    if knob.pins:
        return f"cannot change: {knob.pins[0]}."
    readers = [place for place in knob.places if "reader" in place.roles]
    if not any("writer" in place.roles for place in knob.places):
        return "is written by no layer."
    if operator.init == "noise":
        return ""
    if knob.mixes:
        return f"mixes its units, so that new ones change the outputs: {knob.mixes[0]}. init='noise' widens it all the same."
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


@dataclass(frozen=True)
class _Index:
    """Where the new units come from.

    Attributes:
        index: For each new unit the old one that it is or copies.
        new: The positions of the new ones.
    """

    index: tuple[int, ...]
    new: tuple[int, ...]

    def blank(self) -> list[int]:
        """Return the index with -1 for new units."""
        fresh = set(self.new)
        return [-1 if i in fresh else old for i, old in enumerate(self.index)]


def _index(knob: Knob, added: int, operator: Widen, noise: Noise) -> _Index:
    stream = noise.stream(f"{knob.name}:donors")
    donors = [int(uniform01(stream, i) * knob.size) for i in range(added)]
    before = added // 2 if operator.placement == "both" else 0
    if operator.init == "pair":
        donors = donors[: added // 2] * 2
    index = (*donors[:before], *range(knob.size), *donors[before:])
    return _Index(index, (*range(before), *range(before + knob.size, knob.size + added)))


def _split(knob: Knob, made: _Index, network: Network, noise: Noise) -> Iterator[Edit]:
    for place in knob.places:
        yield gather(knob, place, made.index)
    for place in knob.places:
        if "reader" in place.roles:
            dtype = network.tensor(place.tensor).dtype
            shares = _shares(knob, place, made, noise)
            yield Write(
                tensor=place.tensor,
                values=functools.partial(_shared_out, axis=place.axis, shares=shares, dtype=dtype),
                summary=f"columns of {len(made.new)} copied units shared out along axis {place.axis}",
            )


def _shares(knob: Knob, place: Place, made: _Index, noise: Noise) -> list[tuple[int, int, float]]:
    """Return (position of the old unit, position of its copy, the copy's share of what the old one has left).

    A share is at least a half: then subtracting it is exact (Sterbenz), and adding it again gives the old bits back.
    """
    stream = noise.stream(f"{knob.name}:shares")
    home = {old: i for i, old in enumerate(made.index) if i not in set(made.new)}
    at: dict[int, list[int]] = {}
    for position, unit in enumerate(knob.new_units(place, made.index)):
        at.setdefault(unit, []).append(position)
    out: list[tuple[int, int, float]] = []
    for turn, unit in enumerate(made.new):
        share = 0.5 + 0.25 * uniform01(stream, turn)
        for old, new in zip(at[home[made.index[unit]]], at[unit], strict=True):
            out.append((old, new, share))
    return out


def _shared_out(
    values: NDArray[np.generic], *, axis: int, shares: Sequence[tuple[int, int, float]], dtype: str
) -> NDArray[np.generic]:
    out = np.moveaxis(np.array(values), axis, 0)
    for old, new, share in shares:
        out[new] = rounded(out[old] * out.dtype.type(share), dtype)
        out[old] -= out[new]
    return np.moveaxis(out, 0, axis)


def _silent(knob: Knob, made: _Index, network: Network, noise: Noise) -> Iterator[Edit]:
    yield from _written(knob, made, network, noise)
    for place in knob.places:
        if "reader" in place.roles:
            yield gather(knob, place, made.blank())


def _noise(knob: Knob, made: _Index, network: Network, noise: Noise) -> Iterator[Edit]:
    yield from _written(knob, made, network, noise)
    for place in knob.places:
        if "reader" in place.roles:
            yield gather(knob, place, made.blank())
            yield draw(knob, place, made.index, made.new, network, noise)
        elif network.tensor(place.tensor).role == "bias":
            yield draw(knob, place, made.index, made.new, network, noise)


def _pair(knob: Knob, made: _Index, network: Network, noise: Noise) -> Iterator[Edit]:
    half = len(made.new) // 2
    twin = dict(zip(made.new[half:], made.new[:half], strict=True))
    yield from _written(knob, made, network, noise)
    yield from (
        draw_edit
        for place in knob.places
        if "reader" in place.roles
        for draw_edit in (gather(knob, place, made.blank()), draw(knob, place, made.index, made.new, network, noise))
    )
    for place in knob.places:
        reads = "reader" in place.roles
        units = knob.new_units(place, made.index)
        at: dict[int, list[int]] = {}
        for position, unit in enumerate(units):
            at.setdefault(unit, []).append(position)
        copies = [(p, q) for new, old in twin.items() for p, q in zip(at[new], at[old], strict=True)]
        yield Write(
            tensor=place.tensor,
            values=functools.partial(_twinned, axis=place.axis, copies=copies, sign=-1 if reads else 1),
            summary=f"{half} pairs along axis {place.axis}, of {'opposite signs' if reads else 'the same values'}",
        )


def _twinned(
    values: NDArray[np.generic], *, axis: int, copies: Sequence[tuple[int, int]], sign: int
) -> NDArray[np.generic]:
    out = np.moveaxis(np.array(values), axis, 0)
    for new, old in copies:
        out[new] = out[old] if sign > 0 else -out[old]
    return np.moveaxis(out, 0, axis)


def _written(knob: Knob, made: _Index, network: Network, noise: Noise) -> Iterator[Edit]:
    """Yield the edits of all places but readers: kernels are drawn, what is carried along is copied."""
    for place in knob.places:
        if "reader" in place.roles:
            continue
        drawn = "writer" in place.roles or network.tensor(place.tensor).role in ("kernel", "embedding")
        yield gather(knob, place, made.blank() if drawn else made.index)
        if drawn:
            yield draw(knob, place, made.index, made.new, network, noise)


_FILLS = {"split": _split, "silent": _silent, "pair": _pair, "noise": _noise}

