"""Plan: what a mutation would change, to be read before anything happens."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from genewright.cost import Cost
from genewright.edits.edit import Line
from genewright.showing import AFTER, LINES, QUIET, Bar, Shown, bars, cost_bars, fragment, more_line, shortened, table
from genewright.transaction import Done


@dataclass(frozen=True, kw_only=True, repr=False)
class Plan(Shown):
    """What a mutation would change; print it, or `apply` it. Long plans print in short: `details()` has every line.

    Attributes:
        base: Fingerprint of the network.
        steps: The operators that would act, each with its edits.
        notes: What of an optimizer's state cannot move along.
        trainable: Number of trainable parameters of the network.
        inplace: What `apply` does unless told otherwise.
    """

    made_by = "gw.plan(model, operator, seed=246)"
    looked_for: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("run", "mutate", "execute", "commit"), "Write .apply(), which returns the mutant."),
        "save": "Its mutant carries a recipe: gw.recipe(plan.apply()).save(path).",
    }
    base: str
    steps: tuple[Done, ...]
    trainable: int
    mutate: Callable[[bool], Any]
    inplace: bool = False
    notes: tuple[str, ...] = ()

    def apply(self, *, inplace: bool | None = None) -> Any:
        """Make the mutant: the same as `gw.mutate` with the same arguments."""
        return self.mutate(self.inplace if inplace is None else inplace)

    def details(self) -> str:
        """Return the plan whole: a line a tensor."""
        return "\n".join(self._lines())

    def __str__(self) -> str:
        whole = self._lines()
        if len(whole) <= LINES:
            return "\n".join(whole)
        sums = sum(len(self._sums(planned)) + 2 for planned in self.steps) + len(self.notes)
        return shortened("\n".join(self._lines(max(1, (LINES - sums) // len(self.steps)))))

    def _repr_html_(self) -> str:
        parts: list[str] = []
        most = max(1, LINES // max(1, len(self.steps)))
        for planned in self.steps[:LINES]:
            lines = planned.lines[:most]
            parts.append(more_line(self._title(planned)))
            parts.append(
                table(
                    ("tensor", "dtype", "shape", "what happens"),
                    [(line.tensor, line.dtype, _shape(line), line.what) for line in lines],
                    numbers=("shape",),
                )
            )
            shares = [(line.tensor, line.expected / math.prod(line.shape)) for line in lines if line.expected]
            if shares:
                rows = [
                    Bar(name, ((share, AFTER), (1 - min(share, 1), QUIET)), f"{share:.1%}") for name, share in shares
                ]
                parts += [more_line("elements that are expected to change"), bars("expected to change", rows, full=1.0)]
            if planned.cost is not None:
                parts.append(cost_bars(*planned.cost))
            left = len(planned.lines) - len(lines)
            parts.append(more_line(f"... and {left:,} more: .details()" if left else ""))
            parts += [more_line(line.strip()) for line in self._sums(planned)]
        parts.append(more_line(f"... and {len(self.steps) - LINES:,} more steps" if len(self.steps) > LINES else ""))
        parts += [more_line(f"note: {note}") for note in self.notes]
        return fragment("Plan of a mutation: nothing has happened yet", *parts)

    def _lines(self, most: int | None = None) -> list[str]:
        """Return the plan in words, with at most so many tensors a step."""
        out: list[str] = []
        for planned in self.steps:
            out.append(self._title(planned))
            width = max((len(line.tensor) for line in planned.lines[:most]), default=0)
            out += [
                f"  {line.tensor:<{width}}  {line.dtype:<8}  {_shape(line):>14}  {line.what}"
                for line in planned.lines[:most]
            ]
            if most is not None and len(planned.lines) > most:
                out.append(f"  ... and {len(planned.lines) - most:,} more: .details()")
            out += self._sums(planned)
        return [*out, *(f"  note: {note}" for note in self.notes)]

    def _title(self, planned: Done) -> str:
        step = planned.step
        return f"{type(step.operator).__name__} at {step.path}, seed {step.seed!r}"

    def _sums(self, planned: Done) -> list[str]:
        """Return what is said of a step as a whole."""
        step = planned.step
        out = [
            f"  {sum(bool(line.dtype) for line in planned.lines)} tensors, "
            f"about {sum(line.expected for line in planned.lines):,.0f} "
            f"of {self.trainable:,} trainable values"
        ]
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
        return out

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


def _shape(line: Line) -> str:
    return "x".join(map(str, line.shape)) or ("scalar" if line.dtype else "")


def _numbers(cost: Cost) -> dict[str, int | None]:
    return {"parameters": cost.parameters, "macs": cost.macs, "bytes": cost.bytes}
