"""Plan: what a mutation would change, to be read before anything happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from genewright.edit import Edit, Perturb, Reindex, Write
from genewright.network import Network
from genewright.recipe import Step


@dataclass(frozen=True)
class PlannedEdit:
    """One line of a plan.

    Attributes:
        tensor: The tensor's name.
        shape: Its shape.
        dtype: Its dtype.
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
    """What one operator would do."""

    step: Step
    lines: tuple[PlannedEdit, ...]

    @classmethod
    def of(cls, step: Step, edits: tuple[Edit, ...], network: Network) -> PlannedStep:
        """Describe the edits of a step."""
        return cls(step, tuple(_describe(edit, network) for edit in edits))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a mutation would change; print it, or `apply` it.

    Attributes:
        base: Fingerprint of the network.
        steps: The operators that would act, each with its edits.
        trainable: Number of trainable parameters of the network.
    """

    base: str
    steps: tuple[PlannedStep, ...]
    trainable: int
    mutate: Callable[[bool], Any]

    def apply(self, *, inplace: bool = False) -> Any:
        """Make the mutant: the same as `gw.mutate` with the same arguments."""
        return self.mutate(inplace)

    def __str__(self) -> str:
        out: list[str] = []
        for planned in self.steps:
            step = planned.step
            out.append(f"{type(step.operator).__name__} at {step.path}, seed {step.seed!r}")
            width = max((len(line.tensor) for line in planned.lines), default=0)
            for line in planned.lines:
                shape = "x".join(map(str, line.shape)) or "scalar"
                out.append(f"  {line.tensor:<{width}}  {line.dtype:<8}  {shape:>14}  {line.what}")
            out.append(
                f"  {len(planned.lines)} tensors, about {sum(line.expected for line in planned.lines):,.0f} "
                f"of {self.trainable:,} trainable values"
            )
        return "\n".join(out)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON holds it."""
        return {
            "base": self.base,
            "trainable": self.trainable,
            "steps": [
                {
                    **planned.step.to_json(),
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


def _describe(edit: Edit, network: Network) -> PlannedEdit:
    tensor = network.tensor(edit.tensor)
    expected: float = tensor.size
    match edit:
        case Perturb(change=change):
            share = 1.0
            if edit.units is not None and tensor.shape:
                share = len(edit.units) / max(1, tensor.shape[edit.axis])
            expected = tensor.size * share * change.rate
            what = _change_in_words(edit)
            if change.rate < 1:
                what += f", rate {change.rate:g}"
            if edit.units is not None:
                what += f", {len(edit.units)} units"
        case Write():
            what = edit.summary
        case Reindex():
            what = f"axis {edit.axis} gathered"
            moved = sum(i != j for i, j in enumerate(edit.index))
            expected = tensor.size * moved / max(1, len(edit.index))
    return PlannedEdit(tensor.name, tensor.shape, tensor.dtype, what, expected)


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
