"""A generation by genewright: an evolution strategy of full noise, or of rank 1, on a network of one hidden layer.

And plain inference of the same work, one member after the other.
"""

from __future__ import annotations

import itertools

import torch
from timing import Ways, main
from torch import nn
from torch.nn.functional import cross_entropy as loss

import genewright as gw


def made(way: str, members: int, hidden: int, batch: int) -> Ways:
    """Return what evaluates a generation whose noise is drawn, and a whole generation."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(784, hidden), nn.Tanh(), nn.Linear(hidden, 10))
    x, y = torch.randn(batch, 784), torch.randint(10, (batch,)).repeat(members)
    if way == "plain":
        return {"evaluation": torch.no_grad()(lambda: [loss(model(x), y[:batch]) for _ in range(members)])}
    rank = {"full": None, "rank 1": 1}[way]
    noise = gw.EvolutionNoise(std=0.01, rank=rank)
    numbers = itertools.count()
    known = gw.population(model, noise, range(members), memory=None)

    @torch.no_grad()
    def evaluate(population: gw.Population) -> torch.Tensor:
        losses = loss(population(x).flatten(0, 1), y, reduction="none")
        return losses.view(members, batch).mean(1)

    def generation() -> None:
        nonlocal known
        seeds = tuple(itertools.islice(numbers, members))
        known = gw.population(model, noise, seeds, memory=None, like=known)
        weights = tuple((-0.01 / members * evaluate(known)).tolist())
        gw.mutate(model, gw.EvolutionUpdate(seeds=seeds, weights=weights, rank=rank), seed=1, inplace=True)

    return {"evaluation": lambda: evaluate(known), "generation": generation}


if __name__ == "__main__":
    main(made)
