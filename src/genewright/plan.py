"""Plan: what a mutation would change, to be read before anything happens."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from genewright.apply import Store
from genewright.edit import (
    Copy,
    Edit,
    InsertLayer,
    Perturb,
    Reindex,
    RemoveLayer,
    ReplaceLayer,
    Rewire,
    SetAttribute,
    Structural,
    Tie,
    Values,
    Write,
)
from genewright.part import Part, part_shape
from genewright.recipe import Step
from genewright.spec import in_words


@dataclass(frozen=True)
class PlannedEdit:
    """One line of a plan.

    Attributes:
        tensor: The tensor's name; the layer's where a layer changes.
        shape: Its shape.
        dtype: Its dtype ("" for a layer).
        what: What happens to it.
        expected: How many of its elements are expected to change.
    """

    tensor: str
    shape: tuple[int, ...]
    dtype: str
    what: str
    expected: float


@dataclass(frozen=True)
class PlannedStep:
    """What one operator would do.

    Attributes:
        step: The operator, every choice made.
        lines: Its edits.
        change: Largest change of an output on the example, relative to the largest output; None where layers stay as
            they are or there is no example.
        note: What the user should know about the result, such as that a config cannot describe it.
    """

    step: Step
    lines: tuple[PlannedEdit, ...]
    change: float | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a mutation would change; print it, or `apply` it.

    Attributes:
        base: Fingerprint of the network.
        steps: The operators that would act, each with its edits.
        trainable: Number of trainable parameters of the network.
        inplace: What `apply` does unless told otherwise.
    """

    base: str
    steps: tuple[PlannedStep, ...]
    trainable: int
    mutate: Callable[[bool], Any]
    inplace: bool = False

    def apply(self, *, inplace: bool | None = None) -> Any:
        """Make the mutant: the same as `gw.mutate` with the same arguments."""
        return self.mutate(self.inplace if inplace is None else inplace)

    def __str__(self) -> str:
        out: list[str] = []
        for planned in self.steps:
            step = planned.step
            out.append(f"{type(step.operator).__name__} at {step.path}, seed {step.seed!r}")
            width = max((len(line.tensor) for line in planned.lines), default=0)
            for line in planned.lines:
                shape = "x".join(map(str, line.shape)) or ("scalar" if line.dtype else "")
                out.append(f"  {line.tensor:<{width}}  {line.dtype:<8}  {shape:>14}  {line.what}")
            out.append(
                f"  {sum(bool(line.dtype) for line in planned.lines)} tensors, "
                f"about {sum(line.expected for line in planned.lines):,.0f} "
                f"of {self.trainable:,} trainable values"
            )
            if planned.change is not None:
                kept = "function" in step.operator.claims()
                word = "keeps the function (rounding aside)" if kept else "changes the function"
                out.append(f"  {word}: the outputs change by {planned.change:.2g} of the largest one")
            elif step.structure and "function" in step.operator.claims():
                out.append("  keeps the function by its own account; not checked, for no example was given")
            elif step.structure:
                out.append("  changes the function; with an example, the plan says by how much")
            if planned.note:
                out.append(f"  note: {planned.note}")
        return "\n".join(out)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON holds it."""
        return {
            "base": self.base,
            "trainable": self.trainable,
            "steps": [
                {
                    **planned.step.to_json(),
                    "change": planned.change,
                    "note": planned.note,
                    "edits": [
                        {
                            "tensor": line.tensor,
                            "shape": list(line.shape),
                            "dtype": line.dtype,
                            "what": line.what,
                            "expected": line.expected,
                        }
                        for line in planned.lines
                    ],
                }
                for planned in self.steps
            ],
        }


def described(edit: Edit, store: Store) -> PlannedEdit:
    """Say what an edit would do to the model behind `store`, as that is now."""
    if not isinstance(edit, Values):
        return PlannedEdit(_subject(edit), (), "", _layers_in_words(edit), 0)
    tensor = store.tensor(edit.tensor)
    expected: float = tensor.size
    match edit:
        case Perturb(change=change):
            expected = math.prod(part_shape(edit.part, tensor.shape)) * change.rate
            what = _change_in_words(edit)
            if change.rate < 1:
                what += f", rate {change.rate:g}"
            what += _part_in_words(edit.part)
        case Write():
            expected = math.prod(part_shape(edit.part, tensor.shape))
            what = edit.summary + _part_in_words(edit.part)
        case Reindex():
            what = f"axis {edit.axis} gathered"
            if len(edit.index) != tensor.shape[edit.axis]:
                what += f", {tensor.shape[edit.axis]} -> {len(edit.index)}"
            moved = sum(i != j for i, j in enumerate(edit.index))
            expected = tensor.size * moved / max(1, len(edit.index))
        case Copy():
            expected = math.prod(part_shape(edit.part, tensor.shape))
            what = f"copied from {edit.source}{_part_in_words(edit.part)}"
    return PlannedEdit(tensor.name, tensor.shape, tensor.dtype, what, expected)


def _subject(edit: Structural) -> str:
    match edit:
        case InsertLayer():
            return edit.after
        case Rewire():
            return edit.end
        case Tie():
            return edit.tensor
        case SetAttribute() | RemoveLayer() | ReplaceLayer():
            return edit.layer


def _layers_in_words(edit: Structural) -> str:
    match edit:
        case SetAttribute():
            return f"{edit.attribute} = {edit.value!r}"
        case InsertLayer():
            return f"followed by {in_words(edit.layer)}"
        case RemoveLayer():
            return "removed"
        case ReplaceLayer():
            return f"replaced by {in_words(edit.new)}"
        case Tie():
            return f"becomes one with {edit.to}"
        case Rewire():
            return f"plus {edit.gate:g} * {in_words(edit.path)} of the input of {edit.start}"


def _part_in_words(part: Part) -> str:
    chosen = [
        f"{len(positions)} positions of axis {axis}" for axis, positions in enumerate(part) if positions is not None
    ]
    return f", {' and '.join(chosen)}" if chosen else ""


def _change_in_words(edit: Perturb) -> str:
    change = edit.change
    drawn = f"{change.scale:.6g} * {change.distribution}"
    match change.combine:
        case "add":
            return f"w + {drawn}"
        case "add_relative":
            return f"w + {drawn} * |w|"
        case "multiply":
            return f"w * exp({change.scale:.6g} * normal)"
        case "replace":
            return f"{change.scale:.6g}" if change.distribution == "constant" else drawn
        case "negate":
            return "-w"
        case "xor":
            return f"flip one of bits {','.join(map(str, change.bits))}"
