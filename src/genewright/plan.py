"""Plan: what a mutation would change, to be read before anything happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from genewright.cost import Cost
from genewright.transaction import Done


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a mutation would change; print it, or `apply` it.

    Attributes:
        base: Fingerprint of the network.
        steps: The operators that would act, each with its edits.
        notes: What of an optimizer's state cannot move along.
        trainable: Number of trainable parameters of the network.
        inplace: What `apply` does unless told otherwise.
    """

    base: str
    steps: tuple[Done, ...]
    trainable: int
    mutate: Callable[[bool], Any]
    inplace: bool = False
    notes: tuple[str, ...] = ()

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
                claims = step.operator.claims()
                word = "keeps the function (rounding aside)" if "function" in claims else "changes the function"
                word = "keeps the outputs that stay (rounding aside)" if "ends" in claims else word
                out.append(f"  {word}: the outputs change by {planned.change:.2g} of the largest one")
            elif step.edits and "function" in step.operator.claims():
                out.append("  claims to keep the function; not checked, for no example was given")
            elif step.edits:
                out.append("  changes the function; with an example, the plan says by how much")
            if planned.cost is not None:
                out.append(f"  {planned.cost[0].to(planned.cost[1])}")
            if planned.note:
                out.append(f"  note: {planned.note}")
        out.extend(f"  note: {note}" for note in self.notes)
        return "\n".join(out)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON holds it."""
        return {
            "base": self.base,
            "trainable": self.trainable,
            "notes": list(self.notes),
            "steps": [
                {
                    **planned.step.with_(edits=(), rerun=False).to_json(),
                    "change": planned.change,
                    "note": planned.note,
                    "cost": planned.cost and [_numbers(cost) for cost in planned.cost],
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


def _numbers(cost: Cost) -> dict[str, int | None]:
    return {"parameters": cost.parameters, "macs": cost.macs, "bytes": cost.bytes}
