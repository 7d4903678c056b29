"""What is kept of every fault that was injected: where it was, and what came of it. Arrays, for there are many."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genewright.errors import RecipeError


class Effect(IntEnum):
    """What came of a fault, the mildest first.

    | effect | when | in the literature |
    |---|---|---|
    | MASKED | every output is the original's, to the bit, on all data | masked |
    | TOLERATED | an output differs, and no prediction does | benign |
    | CHANGED | the prediction of a sample differs (of values: an output moved beyond the tolerance) | SDC |
    | NONFINITE | an output that was finite is NaN or infinite | DUE |
    | CRASHED | the forward pass raised | DUE |
    """

    MASKED = 0
    TOLERATED = 1
    CHANGED = 2
    NONFINITE = 3
    CRASHED = 4


@dataclass(frozen=True, eq=False)
class Faults:
    """Faults in the order of their places.

    Attributes:
        place: The number of each place, as `FaultAt` counts.
        tensor: Which tensor it lies in, by its number among those of the population.
        element: Which element of it, in row-major order.
        way: Which bit, by its position, or 0 where an operator has one way alone.
        effect: What came of it, an `Effect`.
        changed: How many samples' predictions differ.
        drop: By how much the mean score falls: accuracy, or minus the mean squared error; NaN where it is not finite.
    """

    place: NDArray[np.int64]
    tensor: NDArray[np.int64]
    element: NDArray[np.int64]
    way: NDArray[np.int64]
    effect: NDArray[np.int64]
    changed: NDArray[np.int64]
    drop: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.place)

    def at(self, places: NDArray[np.int64]) -> Faults:
        """Return those of the faults that lie at some places."""
        chosen = np.isin(self.place, places)
        return Faults(*(getattr(self, name)[chosen] for name in _FIELDS))

    @classmethod
    def merged(cls, parts: Sequence[Faults]) -> Faults:
        """Return the faults of all parts, in the order of their places."""
        if not parts:
            none = np.empty(0, np.int64)
            return cls(none, none, none, none, none, none, np.empty(0, np.float64))
        order = np.argsort(np.concatenate([part.place for part in parts]), kind="stable")
        return cls(*(np.concatenate([getattr(part, name) for part in parts])[order] for name in _FIELDS))

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON holds it: eight bytes a number, as text."""
        form: dict[str, Any] = {name: _text(getattr(self, name)) for name in _FIELDS}
        return {"number": len(self), **form}

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> Faults:
        """Read what `to_json` wrote.

        Raises:
            RecipeError: It is damaged.
        """
        try:
            kinds = {name: "<f8" if name == "drop" else "<i8" for name in _FIELDS}
            columns = [np.frombuffer(base64.b85decode(form[name]), kind).copy() for name, kind in kinds.items()]
        except (KeyError, TypeError, ValueError) as error:
            raise RecipeError(f"The fault rate is damaged: {error!r}.") from None
        if {len(column) for column in columns} != {form.get("number")}:
            raise RecipeError("The fault rate is damaged: its columns are not of one length.")
        return cls(*columns)

    def to_line(self) -> str:
        """Return it as a line of a store."""
        return json.dumps(self.to_json(), separators=(",", ":"))

    @classmethod
    def from_line(cls, line: bytes) -> Faults:
        """Read what `to_line` wrote.

        Raises:
            RecipeError: It is damaged.
        """
        form: Any = json.loads(line)
        return cls.from_json(cast("Mapping[str, Any]", form) if isinstance(form, dict) else {})


_FIELDS = ("place", "tensor", "element", "way", "effect", "changed", "drop")


def _text(column: NDArray[Any]) -> str:
    return base64.b85encode(column.astype("<f8" if column.dtype.kind == "f" else "<i8").tobytes()).decode()
