"""The closed set of edits: what an operator may propose, as data that is applied by one core.

An edit names tensors and says what becomes of them. It computes nothing until it is applied,
so a backend can fuse the drawing of noise with the change itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genewright.errors import RecipeError
from genewright.names import did_you_mean, snake_case
from genewright.noise import Change, Stream
from genewright.part import Part
from genewright.spec import Spec

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
    """Gather a tensor along an axis: new[i] = old[index[i]] * factor[i]; the axis gets the length of `index`.

    Attributes:
        tensor: The tensor's name.
        axis: The axis.
        index: Positions in the old axis, one for each position of the new one; -1 is a new entry, which starts at
            zero (a following `Perturb(combine="replace", units=...)` draws its values).
        factor: A factor an entry, or None to move the bits as they are.
    """

    tensor: str
    axis: int
    index: tuple[int, ...]
    factor: tuple[float, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Copy:
    """Copy a part of one tensor into a part of another.

    Attributes:
        tensor: The tensor that is written.
        source: The tensor that is read; it may be the same one.
        part: The elements that are written (see `Part`).
        source_part: The elements that are read, of the same shape.
    """

    tensor: str
    source: str
    part: Part = ()
    source_part: Part = ()


@dataclass(frozen=True, kw_only=True)
class SetAttribute:
    """Set an attribute of a layer, of an object that it holds, or an entry of a list there.

    Attributes:
        layer: The layer's name; "" is the model.
        attribute: A dotted path from the layer: "in_features", "config.hidden_size", "normalized_shape.0".
        value: What JSON can hold; a list becomes a tuple where a tuple was.
    """

    layer: str
    attribute: str
    value: Any


@dataclass(frozen=True, kw_only=True)
class InsertLayer:
    """Let a new layer work on what another one returns.

    Attributes:
        after: The layer whose output the new one takes.
        layer: What the new layer is.
        name: Its name in the container, where that one has names of its own; None lets the backend choose.
    """

    after: str
    layer: Spec
    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class RemoveLayer:
    """Take a layer out; what it was given goes to whoever reads it."""

    layer: str


@dataclass(frozen=True, kw_only=True)
class ReplaceLayer:
    """Put another layer in the place of one."""

    layer: str
    new: Spec


@dataclass(frozen=True, kw_only=True)
class Rewire:
    """Add to what `end` returns a gated path from what `start` is given: y + gate * path(x).

    Attributes:
        start: The layer whose input the path takes.
        end: The layer to whose output it is added; the same one for a branch beside it.
        path: What the path computes.
        gate: The gate at first; it is a trainable tensor.
    """

    start: str
    end: str
    path: Spec = "identity"
    gate: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Tie:
    """Let one tensor be another from now on: one memory, one gradient.

    Attributes:
        tensor: The tensor that gives way.
        to: The tensor that stays, of the same shape and dtype.
    """

    tensor: str
    to: str


Values = Perturb | Write | Reindex | Copy
Structural = SetAttribute | InsertLayer | RemoveLayer | ReplaceLayer | Rewire | Tie
Edit = Values | Structural

_STRUCTURAL = (SetAttribute, InsertLayer, RemoveLayer, ReplaceLayer, Rewire, Tie)
EDITS: tuple[type[Edit], ...] = (Perturb, Write, Reindex, Copy, *_STRUCTURAL)
_BY_NAME = {snake_case(cls.__name__): cls for cls in _STRUCTURAL}


def structural(edits: Iterable[Edit]) -> tuple[Structural, ...]:
    """Return those edits that change layers and wiring rather than tensors, in order."""
    return tuple(edit for edit in edits if isinstance(edit, _STRUCTURAL))


def structural_to_json(edit: Structural) -> dict[str, Any]:
    """Return a structural edit as JSON holds it: what rebuilds a mutant's layers without its weights."""
    return {"edit": snake_case(type(edit).__name__), **asdict(edit)}


def structural_from_json(form: Any) -> Structural:
    """Read what `structural_to_json` wrote.

    Raises:
        RecipeError: It is damaged; the message says how.
    """
    if not isinstance(form, Mapping):
        raise RecipeError(f"The recipe is damaged: a structural edit is {form!r}.")
    entry = dict(cast(Mapping[str, Any], form))
    name = entry.pop("edit", None)
    if name not in _BY_NAME:
        raise RecipeError(f"The recipe is damaged: no edit is called {name!r}. {did_you_mean(str(name), _BY_NAME)}")
    cls = _BY_NAME[name]
    texts = [f.name for f in fields(cls) if f.name not in ("value", "gate", "name", "layer", "new", "path")]
    try:
        edit = cls(**entry)
    except TypeError as error:
        raise RecipeError(f"The recipe is damaged: a structural edit cannot be read ({error}).") from None
    for text in texts:
        if not isinstance(getattr(edit, text), str):
            raise RecipeError(f"The recipe is damaged: {name}: {text} is {getattr(edit, text)!r}, not a str.")
    return edit
