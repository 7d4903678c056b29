"""Knobs: all widths of a network, to be printed, and found by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from genewright.cost import Cost
from genewright.errors import UnknownNameError
from genewright.names import did_you_mean
from genewright.showing import AFTER, LINES, QUIET, Bar, Shown, bars, fragment, more_line
from genewright.widths.knob import Knob

_VERDICT = 72  # letters of a reason, where each knob has one line


@dataclass(frozen=True, repr=False)
class Knobs(Shown):
    """All knobs of a network; print them, index them by name or position. Many print a line each: `details()` has all.

    Attributes:
        knobs: The knobs, in the order of the network's tensors.
        cost: What the network takes as it is; None where nobody has asked.
    """

    made_by = "gw.knobs(model, example=x)"
    knobs: tuple[Knob, ...]
    cost: Cost | None = None

    def __iter__(self) -> Iterator[Knob]:
        return iter(self.knobs)

    def __len__(self) -> int:
        return len(self.knobs)

    def __getitem__(self, key: int | str) -> Knob:
        if isinstance(key, int):
            return self.knobs[key]
        found = self.called(key)
        if len(found) == 1:
            return found[0]
        names = [knob.name for knob in found or self.knobs]
        what = (
            f"{key!r} writes {len(found)} widths"
            if found
            else f"No knob and no layer that writes one is called {key!r}"
        )
        raise UnknownNameError(f"{what}. {did_you_mean(key, names)}")

    def called(self, name: str) -> list[Knob]:
        """Return the knob of that name; or the knobs that the layer of that name writes, free ones where there are."""
        named = [knob for knob in self.knobs if knob.name == name]
        writing = [knob for knob in self.knobs if name in knob.layers]
        return named or [knob for knob in writing if knob.free] or writing

    def details(self) -> str:
        """Return every knob with all its places, and why it cannot change where it cannot."""
        lines = [] if self.cost is None else [str(self.cost)]
        return "\n".join([*lines, *map(str, self.knobs)])

    def __str__(self) -> str:
        whole = self.details()
        if whole.count("\n") < LINES:
            return whole
        shown = self.knobs[: LINES - 3]
        width = max(len(knob.name) for knob in shown)
        lines = [] if self.cost is None else [str(self.cost)]
        free = sum(knob.free for knob in self.knobs)
        lines.append(f"{len(self.knobs):,} knobs, {free:,} of them free; all places: .details(), or [name]")
        lines += [f"{knob.name:<{width}}  {knob.size:>6} {knob.kind:<9}  {_cut(knob.verdict)}" for knob in shown]
        if len(self.knobs) > len(shown):
            lines.append(f"... and {len(self.knobs) - len(shown):,} more")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        shown = self.knobs[:LINES]
        rows = [
            Bar(
                f"{knob.name}  {knob.size} {knob.kind}",
                ((knob.size, AFTER if knob.free else QUIET),),
                "" if knob.free else _cut(knob.verdict),
            )
            for knob in shown
        ]
        free = sum(knob.free for knob in self.knobs)
        more = f"... and {len(self.knobs) - len(shown):,} more: .details()" if len(self.knobs) > len(shown) else ""
        return fragment(
            f"{len(self.knobs):,} widths, {free:,} of them free (dark)",
            more_line("" if self.cost is None else str(self.cost)),
            bars("widths of the network", rows),
            more_line(more),
        )


def _cut(verdict: str) -> str:
    return verdict if len(verdict) <= _VERDICT else verdict[: _VERDICT - 3] + "..."
