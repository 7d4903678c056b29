"""A generation by PyGAD: its genetic algorithm with the settings of its own, the networks by torchga.predict."""

from __future__ import annotations

from typing import Any

import numpy as np
import pygad
import pygad.torchga
import torch
from timing import Ways, main
from torch import nn


def made(way: str, members: int, hidden: int, batch: int) -> Ways:
    """Return what evaluates a population; and a whole generation, but not of large networks: a minute and more each."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(784, hidden), nn.Tanh(), nn.Linear(hidden, 10))
    x, y = torch.randn(batch, 784), torch.randint(10, (batch,))
    base = pygad.torchga.model_weights_as_vector(model)
    noise = np.random.default_rng(0).normal(0, 0.01, (members, len(base)))
    population = (base + noise).astype(np.float32)

    def fitness(ga: Any, solution: Any, number: int) -> float:
        seen = pygad.torchga.predict(model=model, solution=solution, data=x)
        return -float(nn.functional.cross_entropy(seen, y))

    ways: Ways = {"evaluation": lambda: [fitness(None, one, 0) for one in population]}
    if hidden > 128:
        return ways
    ga = pygad.GA(
        num_generations=1,
        num_parents_mating=members // 2,
        initial_population=population,
        fitness_func=fitness,
        gene_type=np.float32,
        suppress_warnings=True,
    )
    return {**ways, "generation": ga.run}


if __name__ == "__main__":
    main(made)
