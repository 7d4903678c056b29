"""MAP-Elites over size and sparsity: the best classifier of digits of each kind, all from one that was trained.

python examples/digits_archive.py
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch
from digits_front import accuracy, digits, parameters, taught

import genewright as gw


class Judged:
    """The accuracy, and what kind of network it is: its parameters, and the share of its weights that are zero."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor) -> None:
        self.x, self.y = x, y

    def __call__(self, model: torch.nn.Module) -> dict[str, float]:
        zeros = sum(int((parameter == 0).sum()) for parameter in model.parameters())
        size = parameters(model)
        return {"fitness": accuracy(model, self.x, self.y), "size": float(size), "sparsity": zeros / size}


def illuminate(generations: int, batch: int) -> dict[str, Any]:
    """Fill the archive.

    Args:
        generations: How many.
        batch: Children of each.
    """
    start = time.perf_counter()
    x, y, _, _, held_x, held_y = digits()
    model = taught(24, x, y, 300, seed=0)
    run = gw.evolve(
        model,
        Judged(x, y),
        mutation={
            # As large as a cell: a smaller step would have to be better than the elite of the cell that it stays in.
            "narrower": gw.Narrow(layer="0", num_units=4),
            "wider": gw.Widen(layer="0", num_units=4),
            "zero": gw.Zero(rate=0.12),
            "noise": gw.GaussianNoise(std=0.02, rate=0.2),
        },
        example=x[:2],
        strategy=gw.MAPElites(measures={"size": (300, 2700, 8), "sparsity": (0.0, 0.8, 8)}, batch=batch),
        generations=generations,
        seed=246,
        progress=False,
    )
    elites = [one.fitness for one in run.elites if isinstance(one.fitness, dict)]
    small = max(elites, key=lambda one: one["fitness"] - one["size"] / 3000)
    return {
        "original": accuracy(model, held_x, held_y),
        "cells": len(elites),
        "good": sum(one["fitness"] >= 0.9 for one in elites),
        "small": small,
        "seconds": time.perf_counter() - start,
    }


def main(words: list[str] | None = None) -> dict[str, Any]:
    """Fill the archive and print what is in it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generations", type=int, default=60)
    parser.add_argument("--batch", type=int, default=24)
    given = parser.parse_args(words)
    torch.set_num_threads(1)
    found = illuminate(given.generations, given.batch)
    print(f"{found['cells']} of 64 kinds, {found['good']} of them at 90 % or better, in {found['seconds']:.0f} s")
    print(f"the best for its size: {found['small']}")
    return found


if __name__ == "__main__":
    main()
