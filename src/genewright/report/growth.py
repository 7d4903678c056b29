"""What becomes of a network's loss as it is mutated and trained on: one line for each way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from matplotlib.figure import Figure

from genewright.report.picture import write_picture

Kind = Literal["kept", "changed", "unchanged"]
_LOOKS: dict[Kind, tuple[str, str]] = {  # colours that those tell apart who see no red or green; and shapes
    "kept": ("#0072b2", "o"),
    "changed": ("#d55e00", "^"),
    "unchanged": ("#666666", "s"),
}
_GAP = 0.085  # of the height: the least distance of two labels


@dataclass(frozen=True)
class Way:
    """One way through the places of the picture.

    Attributes:
        name: What was done, with what it leads to.
        losses: Cross-entropy as trained, mutated, and trained on; None where the way ends before.
        kind: Whether the mutation kept the outputs or changed them; "unchanged" where there was none.
    """

    name: str
    losses: tuple[float, float | None, float | None]
    kind: Kind


def draw_growth(path: Path, ways: Sequence[Way]) -> None:
    """Write a picture of ways: cross-entropy on held-out data as trained, mutated, and trained on.

    Args:
        path: The PNG file; an old one is replaced.
        ways: The ways, which all begin at one network.

    Raises:
        FileError: The file cannot be written.
    """
    write_picture(growth_figure(ways), path)


def growth_figure(ways: Sequence[Way]) -> Any:
    """Return the picture as a figure of matplotlib."""
    figure: Any = Figure(figsize=(8.4, 4.6), layout="constrained")
    axes = figure.subplots()
    ends: dict[int, dict[float, list[Way]]] = {1: {}, 2: {}}
    for way in ways:
        places = [(place, loss) for place, loss in enumerate(way.losses) if loss is not None]
        colour, marker = _LOOKS[way.kind]
        axes.plot(*zip(*places, strict=True), color=colour, linewidth=2.2, marker=marker, markersize=8, alpha=0.9)
        place, loss = places[-1]
        ends[place].setdefault(loss, []).append(way)
    losses = [loss for way in ways for loss in way.losses if loss is not None]
    low, high = min(losses), max(losses)
    height = (high - low) or 1.0
    axes.set_ylim(low - 0.12 * height, high + 0.12 * height)
    axes.set_xlim(-0.15, 3.15)
    for place, by_loss in ends.items():
        levels = _apart(sorted(by_loss), _GAP * 1.24 * height)
        for (loss, named), level in zip(sorted(by_loss.items()), levels, strict=True):
            lowest = loss == min(by_loss)
            beside: dict[str, Any] = {"xytext": (place + 0.09, level), "va": "center"}
            if place == 1:  # lines go on to the right: before the point, under the lowest line and over all others
                off = -0.05 * height if lowest else level - loss + 0.03 * height
                beside = {"xytext": (place - 0.03, loss + off), "va": "top" if lowest else "bottom", "ha": "right"}
            words = f"{', '.join(way.name for way in named)}: {loss:.3f}"
            axes.annotate(words, (place, loss), **beside, fontsize=11, color=_LOOKS[named[0].kind][0])
    axes.set_xticks([0, 1, 2], ["trained", "mutated", "trained on"], fontsize=12)
    axes.set_ylabel("cross-entropy on held-out images", fontsize=12)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("The loss goes on where it was, unless new units are drawn at random", fontsize=13)
    return figure


def _apart(levels: Sequence[float], gap: float) -> list[float]:
    """Return ascending levels moved up until none is nearer to the next than `gap`."""
    moved: list[float] = []
    for level in levels:
        moved.append(level if not moved else max(level, moved[-1] + gap))
    return moved
