"""The README's picture: a network before and after it has grown, and its loss, which goes on where it was.

python -m docs.pictures.grown
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

import genewright as gw

PATH = Path(__file__).with_suffix(".png")
STEPS = 400
GROWTH = gw.Sequence([gw.Widen("0", num_units=4), gw.Widen("2", num_units=3)])
ANEW = gw.Sequence([gw.Widen("0", num_units=4, init="noise"), gw.Widen("2", num_units=3, init="noise")])
NEW, OLD, RIVAL = "#2e9e5b", "#334155", "#c8402f"


@dataclass(frozen=True)
class Grown:
    """A network before and after, and the losses.

    Attributes:
        before: The network, trained for a while.
        after: The same, wider.
        start: Its loss at every step until then.
        kept: The loss from then on, of the mutant.
        anew: The same where the new units are drawn at random, as they are without Genewright.
    """

    before: Any
    after: Any
    start: list[float]
    kept: list[float]
    anew: list[float]


def spirals() -> tuple[torch.Tensor, torch.Tensor]:
    """Return 400 points on two spirals (400, 2), and which one each lies on."""
    t = torch.linspace(0.2, 1, 200)
    arms = [t[:, None] * torch.stack([torch.cos(7 * t + s), torch.sin(7 * t + s)], 1) for s in (0.0, torch.pi)]
    return torch.cat(arms) * 2, torch.arange(2).repeat_interleave(200)


def train(net: Any, steps: int, rate: float) -> list[float]:
    """Train in place, on all points at once; return the loss before each step, and at the end."""
    x, y = spirals()
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    losses = []
    for _ in range(steps):
        loss = torch.nn.functional.cross_entropy(net(x), y)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()  # pyright: ignore[reportUnknownMemberType]
        optimizer.step()
    with torch.no_grad():
        return [*losses, torch.nn.functional.cross_entropy(net(x), y).item()]


def grown(steps: int = STEPS) -> Grown:
    """Train, grow both ways, and train on."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(3)
        linear, tanh = torch.nn.Linear, torch.nn.Tanh
        net = torch.nn.Sequential(linear(2, 6), tanh(), linear(6, 5), tanh(), linear(5, 2))
        start = train(net, steps, 0.01)
        example = spirals()[0]
        wider = gw.mutate(net, GROWTH, seed=246, example=example)
        anew = gw.mutate(net, ANEW, seed=246, example=example)
        after = gw.mutate(net, GROWTH, seed=246, example=example)
        return Grown(net, after, start, train(wider, steps, 0.01), train(anew, steps, 0.01))


def draw(found: Grown) -> bytes:
    """Return the picture as PNG."""
    figure: Any = Figure(figsize=(9.6, 3.3), layout="constrained", dpi=120)
    left, right, losses = figure.subplots(1, 3, width_ratios=(1, 1, 1.35))
    _network(left, found.before, found.before, "trained")
    _network(right, found.after, found.before, "grown: same outputs")
    _losses(losses, found)
    file = io.BytesIO()
    figure.savefig(file, format="png", facecolor="white", metadata={"Software": None})
    return file.getvalue()


def _network(axes: Any, net: Any, old: Any, title: str) -> None:
    axes.set_axis_off()
    axes.set_title(title, fontsize=12)
    layers = [layer for layer in net if hasattr(layer, "weight")]
    before = [layer for layer in old if hasattr(layer, "weight")]
    sizes = [layers[0].in_features, *(layer.out_features for layer in layers)]
    was = [before[0].in_features, *(layer.out_features for layer in before)]
    places = [[(x, (n - 1) / 2 - i) for i in range(n)] for x, n in enumerate(sizes)]
    for depth, layer in enumerate(layers):
        weights = layer.weight.detach().numpy()
        scale = float(np.abs(weights).max())
        lines, colours, widths = [], [], []
        for row, column in np.ndindex(weights.shape):
            fresh = row >= was[depth + 1] or column >= was[depth]
            lines.append([places[depth][column], places[depth + 1][row]])
            colours.append(NEW if fresh else OLD)
            widths.append(0.15 + 2.2 * abs(weights[row, column]) / scale)
        axes.add_collection(LineCollection(lines, colors=colours, linewidths=widths, alpha=0.55, zorder=1))
    for size, row in zip(was, places, strict=True):
        for number, (x, y) in enumerate(row):
            colour = NEW if number >= size else OLD
            axes.scatter(x, y, s=95, color=colour, edgecolor="white", linewidth=1.2, zorder=2)
    axes.set_ylim(-5.2, 5.2)
    axes.set_xlim(-0.3, len(sizes) - 0.7)


def _losses(axes: Any, found: Grown) -> None:
    then = len(found.start) - 1
    steps = range(then, then + len(found.kept))
    axes.plot(range(len(found.start)), found.start, color=OLD, linewidth=2)
    axes.plot(steps, found.anew, color=RIVAL, linewidth=1.6, linestyle="--")
    axes.plot(steps, found.kept, color=NEW, linewidth=2.4)
    axes.axvline(then, color="#94a3b8", linewidth=0.8, linestyle=":")
    axes.set_yscale("log")
    axes.set_xlabel("training step")
    axes.set_title("loss", fontsize=12)
    axes.spines[["top", "right"]].set_visible(False)
    axes.text(then * 1.12, 0.02, "new units drawn at random", color=RIVAL, fontsize=10, va="center")
    axes.text(then * 1.02, found.kept[-1], "gw.Widen", color=NEW, fontsize=11, fontweight="bold", va="bottom")


if __name__ == "__main__":
    PATH.write_bytes(draw(grown()))
