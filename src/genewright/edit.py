"""The closed set of edits: what an operator may propose, as data that is applied by one core.

An edit names tensors and says what becomes of them. It computes nothing until it is applied,
so a backend can fuse the drawing of noise with the change itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genewright.noise import Change, Stream
from genewright.part import Part

Array = NDArray[np.generic]


@dataclass(frozen=True, kw_only=True)
class Perturb:
    """Change elements of a tensor by seeded noise, in place.

    Attributes:
        tensor: The tensor's name.
        change: What is drawn and how it combines with the old value.
        stream: The random words.
        part: The elements that may change (see `Part`); an element's noise is the same in every part that holds it.
    """

    tensor: str
    change: Change
    stream: Stream
    part: Part = ()


@dataclass(frozen=True, kw_only=True)
class Write:
    """Write explicit values, or a function of the old values, into a tensor.

    Attributes:
        tensor: The tensor's name.
        values: An array of the shape of the written part, or a function that takes the part's values (float32,
            or float64 for a float64 tensor; read-only) and returns the new ones. Values are rounded once, to nearest.
        part: The elements that are written (see `Part`).
        stored: The function takes and returns elements as they are stored (float16 as such, bfloat16 as uint16): for
            moving them, bit for bit. Any dtype will do then.
        summary: What happens, in a few words, for the plan.
    """

    tensor: str
    values: Array | Callable[[Array], Array]
    part: Part = ()
    stored: bool = False
    summary: str = "write"


@dataclass(frozen=True, kw_only=True)
class Reindex:
    """Gather a tensor along an axis: new[i] = old[index[i]] * factor[i].

    Attributes:
        tensor: The tensor's name.
        axis: The axis.
        index: Positions in the old axis, one for each position of the new one.
        factor: A factor an entry, or None to move the bits as they are.
    """

    tensor: str
    axis: int
    index: tuple[int, ...]
    factor: tuple[float, ...] | None = None


Edit = Perturb | Write | Reindex
EDITS: tuple[type[Edit], ...] = (Perturb, Write, Reindex)
