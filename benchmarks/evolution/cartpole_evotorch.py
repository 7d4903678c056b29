"""CartPole-v1 by EvoTorch, as examples/cartpole.py does it by genewright: runs in an environment of its own.

The same network (4-8-2), 20 episodes for each individual, the same target and the same check on 20 unseen episodes.
"""

from __future__ import annotations

import json
import random
import sys
import time

import numpy as np
import torch
from evotorch.algorithms import PGPE, SNES
from evotorch.neuroevolution import GymNE
from evotorch.tools.misc import set_default_logger_config

SOLVED, EPISODES, TARGET, MOST = 475.0, 20, 495.0, 3000
ALGORITHMS = {
    "SNES": lambda problem: SNES(problem, popsize=16, stdev_init=0.5),
    "PGPE": lambda problem: PGPE(
        problem, popsize=16, center_learning_rate=0.5, stdev_learning_rate=0.1, stdev_init=0.5
    ),
}


def solve(seed: int, name: str) -> dict[str, float]:
    """Evolve until an individual has the target's mean; play 20 more episodes with it."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # the library draws from the global one
    torch.manual_seed(seed)
    start, cpu = time.perf_counter(), time.process_time()
    network = "Linear(obs_length, 8) >> Tanh() >> Linear(8, act_length)"
    problem = GymNE("CartPole-v1", network, num_episodes=EPISODES)
    searcher = ALGORITHMS[name](problem)
    evaluations = 0
    while evaluations < MOST:
        searcher.step()
        evaluations += len(searcher.population)
        if float(searcher.status["pop_best_eval"]) >= TARGET:
            break
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    check = GymNE("CartPole-v1", network, num_episodes=EPISODES)
    batch = check.generate_batch(1)
    batch.set_values(searcher.status["pop_best"].values.unsqueeze(0))
    check.evaluate(batch)
    return {"unseen": float(batch.evals[0, 0]), "evaluations": evaluations, "seconds": seconds, "cpu": cpu}


if __name__ == "__main__":
    torch.set_num_threads(1)
    set_default_logger_config(logger_level=40, override=True)
    for seed in range(int(sys.argv[2])):
        print(json.dumps({"seed": seed, **solve(seed, sys.argv[1])}), flush=True)
