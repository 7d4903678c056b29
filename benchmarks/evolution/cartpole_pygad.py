"""CartPole-v1 by PyGAD, as examples/cartpole.py does it by genewright: runs in an environment of its own.

The same network (4-8-2), 20 episodes for each individual, the same target and the same check on 20 unseen episodes.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import gymnasium
import numpy as np
import pygad
import pygad.torchga
import torch

SOLVED, EPISODES, TARGET, MOST = 475.0, 20, 495.0, 3000
SETTINGS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "tuned": {"mutation_type": "random", "mutation_probability": 0.3, "crossover_type": "uniform"},
}


def mean_return(model: torch.nn.Module, environments: list[Any], seeds: list[int]) -> float:
    """Return the mean return; the episodes go on side by side."""
    seen = [one.reset(seed=seed)[0] for one, seed in zip(environments, seeds, strict=True)]
    returns, going = [0.0] * len(seeds), list(range(len(seeds)))
    while going:
        with torch.no_grad():
            actions = model(torch.from_numpy(np.stack([seen[at] for at in going]))).argmax(1).tolist()
        still = []
        for at, action in zip(going, actions, strict=True):
            seen[at], reward, ended, cut, _ = environments[at].step(action)
            returns[at] += float(reward)
            if not (ended or cut):
                still.append(at)
        going = still
    return sum(returns) / len(returns)


def solve(seed: int, name: str) -> dict[str, float]:
    """Evolve until an individual has the target's mean; play 20 more episodes with it."""
    torch.manual_seed(seed)
    start, cpu = time.perf_counter(), time.process_time()
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    environments = [gymnasium.make("CartPole-v1") for _ in range(EPISODES)]
    rng = np.random.default_rng(seed)
    seeds = [int(one) for one in rng.integers(1 << 31, size=EPISODES)]
    count = 0

    def fitness(ga: Any, solution: Any, number: int) -> float:
        nonlocal count
        count += 1
        model.load_state_dict(pygad.torchga.model_weights_as_dict(model, solution))
        return mean_return(model, environments, seeds)

    def told(ga: Any) -> str | None:
        seeds[:] = [int(one) for one in rng.integers(1 << 31, size=EPISODES)]
        return "stop" if ga.last_generation_fitness.max() >= TARGET or count >= MOST else None

    ga = pygad.GA(
        num_generations=MOST // 16,
        num_parents_mating=4,
        initial_population=pygad.torchga.TorchGA(model=model, num_solutions=16).population_weights,
        fitness_func=fitness,
        on_generation=told,
        random_seed=seed,
        suppress_warnings=True,
        **SETTINGS[name],
    )
    ga.run()
    best = ga.population[int(np.argmax(ga.last_generation_fitness))]
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    model.load_state_dict(pygad.torchga.model_weights_as_dict(model, best))
    unseen = mean_return(model, environments, [int(one) for one in rng.integers(1 << 31, size=EPISODES)])
    return {"unseen": unseen, "evaluations": count, "seconds": seconds, "cpu": cpu}


if __name__ == "__main__":
    torch.set_num_threads(1)
    for seed in range(int(sys.argv[2])):
        print(json.dumps({"seed": seed, **solve(seed, sys.argv[1])}), flush=True)
