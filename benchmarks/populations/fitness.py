"""How well directions of low rank learn: an evolution strategy by full noise and by two ranks, at equal evaluations.

python benchmarks/populations/fitness.py [digits] [cartpole]

The ways differ in the directions alone: the same start, seeds, std, learning rate and number of evaluations. What is
reported was not evolved on: held-out images, and episodes that no generation had.
"""

from __future__ import annotations

import itertools
import os
import statistics
import sys
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from sklearn.datasets import load_digits
from torch import nn

import genewright as gw
from genewright.seeding import Noise

SEEDS = range(10)
UNSEEN = 100
"""Episodes that a policy is judged by."""


def network(seed: int, *units: int) -> nn.Module:
    """Return an untrained network of linear layers with tanh between them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = [one for pair in itertools.pairwise(units) for one in (nn.Linear(*pair), nn.Tanh())]
    return nn.Sequential(*layers[:-1])


def digits(rank: int | None, seed: int, generations: int = 100) -> tuple[float, int]:
    """Evolve a classifier of 64-32-10 by its loss on 1,000 images; return its accuracy on 797 others, and the count."""
    found: Any = load_digits()
    order = torch.randperm(len(found.target), generator=torch.Generator().manual_seed(0))
    x = torch.tensor(found.images, dtype=torch.float32).flatten(1)[order] / 16
    y = torch.tensor(found.target)[order]
    run = gw.evolve(
        network(seed, 64, 32, 10),
        gw.fitness.Supervised(x[:1000], y[:1000], "cross_entropy", batch=1000),
        strategy=gw.EvolutionStrategy(population=40, std=0.05, learning_rate=0.05, rank=rank),
        executor=gw.Batched(),
        generations=generations,
        seed=seed,
        progress=False,
    )
    with torch.no_grad():
        right = float((run.best_model(x[1000:]).argmax(1) == y[1000:]).float().mean())
    return 100 * right, sum(one.individuals for one in run.generations())


def cartpole(rank: int | None, seed: int, generations: int = 12) -> tuple[float, int]:
    """Evolve a policy of 4-16-16-2 on new episodes each generation; return its mean on unseen ones, and evaluations."""
    run = gw.evolve(
        network(seed, 4, 16, 16, 2),
        gw.fitness.Gymnasium("CartPole-v1", episodes=4),
        strategy=gw.EvolutionStrategy(population=32, std=0.1, learning_rate=0.1, rank=rank),
        executor=gw.Batched(),
        generations=generations,
        seed=seed,
        progress=False,
    )
    unseen = gw.fitness.Gymnasium("CartPole-v1", episodes=UNSEEN)
    judged = unseen.evaluate(run.best_model, Noise(seed, "/unseen", "fitness"))
    return float(judged), sum(one.individuals for one in run.generations())


def compare(title: str, solve: Callable[[int | None, int], tuple[float, int]], ranks: tuple[int | None, ...]) -> None:
    """Print a row for each kind of direction: what the seeds reached."""
    print(f"\n| {title} | median | least to most | seeds at least as good as full noise | evaluations |")
    print("|---|---|---|---|---|")
    full: list[float] = []
    for rank in ranks:
        runs = [solve(rank, seed) for seed in SEEDS]
        reached = [one for one, _ in runs]
        full = full or reached
        level = sum(mine >= other for mine, other in zip(reached, full, strict=True))
        name = "full noise" if rank is None else f"rank {rank}"
        spread = f"{min(reached):.1f} to {max(reached):.1f}"
        print(
            f"| {name} | {statistics.median(reached):.1f} | {spread} | {level} | {runs[0][1]} |",
            flush=True,
        )


TASKS: dict[str, Callable[[], None]] = {
    "digits": lambda: compare("digits, 64-32-10: % of held-out images told rightly", digits, (None, 1, 4)),
    "cartpole": lambda: compare("CartPole-v1, 4-16-16-2: mean return of 100 unseen episodes", cartpole, (None, 1, 2)),
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    for task in sys.argv[1:] or TASKS:
        TASKS[task]()
