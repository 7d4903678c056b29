"""Parents that fit, and noise that spares: on scikit-learn's digits, small networks, and a recurrent one.

    python benchmarks/parents.py [--pairs 5] [--write docs/benchmarks/neurons.md]

Two networks are trained apart, with other first weights and other orders of the data; their children are plain and
aligned means. Then noise of one norm is drawn in three ways, and what is left of the accuracy is compared.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import genewright as gw
from neurons import machine

Data = tuple[torch.Tensor, torch.Tensor]
BEGIN, END = "<!-- parents: made by benchmarks/parents.py -->", "<!-- end of parents -->"


class Recurrent(nn.Module):
    """Reads an image row by row."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.LSTM(8, 48, batch_first=True)
        self.head = nn.Linear(48, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.cells(x.view(-1, 8, 8))[0][:, -1])


def classifier() -> nn.Module:
    """Return 64 -> 128 -> 128 -> 10."""
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))


def digits() -> tuple[Data, Data]:
    """Return (1,297 images to train on, 500 to test on)."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    images, classes = torch.tensor(x[order] / 16, dtype=torch.float32), torch.tensor(y[order])
    return (images[:-500], classes[:-500]), (images[-500:], classes[-500:])


def trained(factory: Callable[[], nn.Module], data: Data, seed: int, epochs: int = 20) -> nn.Module:
    """Return a network trained by Adam."""
    torch.manual_seed(seed)
    net, (x, y) = factory(), data
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    for _ in range(epochs):
        for at in torch.randperm(len(y)).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[at]), y[at]).backward()
            optimizer.step()
    return net.eval()


def accuracy(net: nn.Module, data: Data) -> float:
    """Return the share of right answers, in per cent."""
    with torch.no_grad():
        return 100 * float((net(data[0]).argmax(1) == data[1]).float().mean())


def parents(pairs: int) -> list[str]:
    """Return the table of children of two parents."""
    train, test = digits()
    low = train[1] < 5
    halves = (train[0][low], train[1][low]), (train[0][~low], train[1][~low])
    ways: dict[str, dict[str, Any]] = {
        "plain mean": {},
        "aligned mean, by weights": {"align": "weights"},
        "aligned mean, by activations": {"align": "activations"},
    }
    tables: dict[str, dict[str, list[float]]] = {}
    seconds: list[float] = []
    for kind, (first, second) in {"all classes": (train, train), "0 to 4 and 5 to 9": halves}.items():
        rows: dict[str, list[float]] = {"a parent": [], **{way: [] for way in ways}, "mean of the outputs": []}
        for pair in range(pairs):
            net, other = trained(classifier, first, 2 * pair), trained(classifier, second, 2 * pair + 1)
            rows["a parent"] += [accuracy(net, test), accuracy(other, test)]
            for way, settings in ways.items():
                operator = gw.Crossover("other", kind="blend", t=0.5, **settings)
                began = time.perf_counter()
                child = gw.mutate(net, operator, seed=246, example=train[0][:512], donors={"other": other})
                if way.endswith("weights"):
                    seconds.append(time.perf_counter() - began)
                rows[way].append(accuracy(child, test))
            with torch.no_grad():
                both = net(test[0]).softmax(1) + other(test[0]).softmax(1)
            rows["mean of the outputs"].append(100 * float((both.argmax(1) == test[1]).float().mean()))
        tables[kind] = rows
    lines = [f"| | {' | '.join(tables)} |", "|---|" + "---|" * len(tables)]
    for row in next(iter(tables.values())):
        said = [f"{np.mean(t[row]):.1f} ({min(t[row]):.1f} to {max(t[row]):.1f})" for t in tables.values()]
        lines.append(f"| {row} | {' | '.join(said)} |")
    lines.append(f"\nAn aligned child took {np.median(seconds):.2f} s (median; tracing, matching and the mean).")
    return lines


def drawn(net: nn.Module, operator: Any, norm: float, seed: int, example: Any) -> nn.Module:
    """Return a mutant whose change has a given Euclidean norm, in the direction that the operator draws."""
    mutant = gw.mutate(net, operator, seed=seed, example=example)
    with torch.no_grad():
        moves = [m - p for m, p in zip(mutant.parameters(), net.parameters(), strict=True)]
        size = float(sum(move.square().sum() for move in moves)) ** 0.5
        for m, p, move in zip(mutant.parameters(), net.parameters(), moves, strict=True):
            m.copy_(p + move * (norm / size))
    return mutant


def noises(seeds: int = 10) -> list[str]:
    """Return the table of what noise of one norm leaves of the accuracy."""
    train, test = digits()
    lines = [
        "| network | change | " + " | ".join(_WAYS) + " |",
        "|---|---|" + "---|" * len(_WAYS),
    ]
    for name, factory in {"64-128-128-10": classifier, "LSTM of 48 cells": Recurrent}.items():
        net = trained(factory, train, 1)
        whole = float(sum(p.detach().square().sum() for p in net.parameters())) ** 0.5
        x = train[0][:256]
        made = {way: make(net, x) for way, make in _WAYS.items()}
        for share in (0.2, 0.5, 1.0):
            kept = {
                way: np.mean([accuracy(drawn(net, one, share * whole, seed, x), test) for seed in range(seeds)])
                for way, one in made.items()
            }
            said = " | ".join(f"{value:.1f}" for value in kept.values())
            lines.append(f"| {name}, {accuracy(net, test):.1f} % | {share} | {said} |")
    return lines


_WAYS: dict[str, Callable[[nn.Module, torch.Tensor], Any]] = {
    "plain": lambda net, x: gw.GaussianNoise(),
    "in each tensor's spread": lambda net, x: gw.GaussianNoise(relative_to="tensor"),
    "calibrated by layer": lambda net, x: gw.calibrate(net, gw.GaussianNoise(), x, seed=1, per_layer=True),
    "safe, sum": lambda net, x: gw.SafeGaussianNoise(),
    "safe, abs": lambda net, x: gw.SafeGaussianNoise(method="abs"),
    "safe, second order": lambda net, x: gw.SafeGaussianNoise(method="second_order"),
}


def main() -> None:
    """Print the tables, or write them into a page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    text = "\n".join(
        [
            BEGIN,
            "",
            "## Children of two parents",
            "",
            f"`make bench-parents`: {machine()}.",
            "",
            "scikit-learn's digits, networks 64-128-128-10 trained apart; accuracy in per cent, mean of "
            f"{options.pairs} pairs "
            "(lowest to highest). In the second column the one parent has seen 0 to 4 alone, the other 5 to 9.",
            "",
            *parents(options.pairs),
            "",
            "## Noise that spares",
            "",
            "What is left of the accuracy, in per cent, when all changes have the same norm; mean of 10 seeds. "
            "`change` is the norm of the change over that of the weights:",
            "",
            *noises(),
            "",
            END,
        ]
    )
    if options.write is None:
        print(text)
        return
    page = options.write.read_text()
    before, _, rest = page.partition(BEGIN)
    options.write.write_text(f"{before.rstrip()}\n\n{text}\n{rest.partition(END)[2]}".rstrip() + "\n")


if __name__ == "__main__":
    main()
