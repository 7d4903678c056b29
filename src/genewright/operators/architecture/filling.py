"""How new units are filled: what is gathered, drawn and shared out in every place of a width."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genewright.edit import Edit, Write
from genewright.network import Network
from genewright.noise import uniform01
from genewright.operators.architecture.moving import draw, gather, rounded
from genewright.seeding import Noise
from genewright.widths.knob import Knob, Place


@dataclass(frozen=True)
class Moves:
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


def moves(knob: Knob, added: int, *, init: str, placement: str, noise: Noise) -> Moves:
    """Return where `added` new units stand, and which old unit each copies."""
    stream = noise.stream(f"{knob.name}:donors")
    donors = [int(uniform01(stream, i) * knob.size) for i in range(added)]
    before = added // 2 if placement == "both" else 0
    if init == "pair":
        donors = donors[: added // 2] * 2
    index = (*donors[:before], *range(knob.size), *donors[before:])
    return Moves(index, (*range(before), *range(before + knob.size, knob.size + added)))


def _split(knob: Knob, made: Moves, network: Network, noise: Noise) -> Iterator[Edit]:
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


def _shares(knob: Knob, place: Place, made: Moves, noise: Noise) -> list[tuple[int, int, float]]:
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


def _silent(knob: Knob, made: Moves, network: Network, noise: Noise) -> Iterator[Edit]:
    yield from _written(knob, made, network, noise)
    for place in knob.places:
        if "reader" in place.roles:
            yield gather(knob, place, made.blank())


def _noise(knob: Knob, made: Moves, network: Network, noise: Noise) -> Iterator[Edit]:
    yield from _written(knob, made, network, noise)
    for place in knob.places:
        if "reader" in place.roles:
            yield gather(knob, place, made.blank())
            yield draw(knob, place, made.index, made.new, network, noise)
        elif network.tensor(place.tensor).role == "bias":
            yield draw(knob, place, made.index, made.new, network, noise)


def _pair(knob: Knob, made: Moves, network: Network, noise: Noise) -> Iterator[Edit]:
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


def _written(knob: Knob, made: Moves, network: Network, noise: Noise) -> Iterator[Edit]:
    """Yield the edits of all places but readers: kernels are drawn, what is carried along is copied."""
    for place in knob.places:
        if "reader" in place.roles:
            continue
        drawn = "writer" in place.roles or network.tensor(place.tensor).role in ("kernel", "embedding")
        yield gather(knob, place, made.blank() if drawn else made.index)
        if drawn:
            yield draw(knob, place, made.index, made.new, network, noise)


FILLS: dict[str, Callable[[Knob, Moves, Network, Noise], Iterator[Edit]]] = {
    "split": _split,
    "silent": _silent,
    "pair": _pair,
    "noise": _noise,
}
