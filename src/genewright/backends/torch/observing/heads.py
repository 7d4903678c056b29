"""The heads of attentions: whose outputs the layer behind them is given side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from torch import nn

from genewright.observation import Positions
from genewright.widths.knob import Knob
from genewright.widths.knobs import Knobs


@dataclass(frozen=True)
class Heads:
    """The heads of one attention.

    Attributes:
        name: The layer that holds all of it.
        reader: The layer that is given their outputs.
        count: How many there are.
        order: The places of their entries in what the reader is given, head by head.
        rows: As in `UnitLayer`.
        fused: They are those of torch's own attention.
    """

    name: str
    reader: str
    count: int
    order: Positions
    rows: dict[str, Positions]
    fused: bool = False


def fused_heads(name: str, module: nn.MultiheadAttention) -> Heads:
    """Return the heads of torch's own attention, which says itself how many there are."""
    count, size = int(cast(Any, module).num_heads), int(cast(Any, module).head_dim)
    unit = np.repeat(np.arange(count), size)
    rows = {name: np.tile(unit, 3)} if module.in_proj_weight is not None else {}  # pyright: ignore[reportUnnecessaryComparison]
    return Heads(name, f"{name}.out_proj" if name else "out_proj", count, np.arange(count * size), rows, fused=True)


def heads_among(knobs: Knobs) -> tuple[Heads, ...]:
    """Return the attentions whose heads can be told apart, by the layers that they are read by; each once."""
    found: dict[str, Heads] = {}
    for knob in knobs:
        if knob.kind == "heads":
            for reader in dict.fromkeys(place.layer for place in knob.places if "reader" in place.roles):
                heads = _heads(knob, reader)
                if heads is not None and (reader not in found or heads.count > found[reader].count):
                    found[reader] = heads
    return tuple(found.values())


def _heads(knob: Knob, reader: str) -> Heads | None:
    place = next(place for place in knob.places if place.layer == reader and "reader" in place.roles)
    units = knob.units(place)
    sizes = np.bincount(units[units >= 0], minlength=knob.size)
    if len(set(sizes.tolist())) != 1 or not sizes[0]:
        return None
    order = np.argsort(units, kind="stable")[np.count_nonzero(units < 0) :]
    writers = [held for held in knob.places if "writer" in held.roles]
    rows = {held.layer: knob.units(held) for held in writers}
    return Heads(_around([reader, *rows]) or f"heads of {reader}", reader, knob.size, order.astype(np.int64), rows)


def _around(names: list[str]) -> str:
    """Return the layer that holds all of some layers."""
    parts = [name.split(".") for name in names]
    common = 0
    while all(len(part) > common for part in parts) and len({part[common] for part in parts}) == 1:
        common += 1
    return ".".join(parts[0][:common])
