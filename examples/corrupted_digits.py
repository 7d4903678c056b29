"""A trained classifier of digits adapts to corrupted digits without gradients: by an evolution strategy on its loss.

python examples/corrupted_digits.py
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch
from digits_front import accuracy, digits, taught

import genewright as gw


def corrupted(x: torch.Tensor, seed: int) -> torch.Tensor:
    """Return digits as a bad scanner would give them: negative, faint and noisy."""
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
    return 1 - (0.6 * x + 0.1 * noise).clamp(0, 1)


def adapt(generations: int, population: int) -> dict[str, Any]:
    """Train on clean digits, look at corrupted ones, and evolve.

    Args:
        generations: How many.
        population: Individuals of each, an even number.
    """
    start = time.perf_counter()
    x, y, _, _, held_x, held_y = digits()
    model = taught(32, x, y, 300, seed=0)
    bad, held_bad = corrupted(x, 1), corrupted(held_x, 2)
    run = gw.evolve(
        model,
        gw.fitness.Supervised(bad, y, "cross_entropy", batch=1000),
        strategy=gw.EvolutionStrategy(population=population, std=0.05, learning_rate=0.05),
        generations=generations,
        seed=246,
        progress=False,
    )
    return {
        "loss": (-float(run.individual(0).fitness), -float(run.best.fitness)),
        "clean": accuracy(model, held_x, held_y),
        "before": accuracy(model, held_bad, held_y),
        "after": accuracy(run.best_model, held_bad, held_y),
        "seconds": time.perf_counter() - start,
    }


def main(words: list[str] | None = None) -> dict[str, Any]:
    """Adapt and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generations", type=int, default=120)
    parser.add_argument("--population", type=int, default=40)
    given = parser.parse_args(words)
    torch.set_num_threads(1)
    found = adapt(given.generations, given.population)
    print(f"clean digits {found['clean']:.2%}; corrupted {found['before']:.2%} before, {found['after']:.2%} after")
    print(f"{found['seconds']:.0f} s; accuracy on images that were not evolved on")
    return found


if __name__ == "__main__":
    main()
