"""CartPole-v1 from a network that knows nothing, to a mean of at least 475 over 20 episodes that it has not seen.

python examples/cartpole.py --seeds 10
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import torch

import genewright as gw
from genewright.seeding import Noise

SOLVED, EPISODES = 475.0, 20


def network(seed: int) -> torch.nn.Module:
    """Return an untrained policy: four observations, two actions."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))


def solve(seed: int, *, evaluations: int = 3000) -> dict[str, Any]:
    """Evolve a policy; every generation has new episodes, so that none is learnt by heart.

    Args:
        seed: Of the network and of the run.
        evaluations: How many individuals at most.
    """
    start, cpu = time.perf_counter(), time.process_time()
    fitness = gw.fitness.Gymnasium("CartPole-v1", episodes=EPISODES)
    run = gw.evolve(
        network(seed),
        fitness,
        mutation=gw.GaussianNoise(std=0.5),
        strategy=gw.GeneticAlgorithm(population=16, parents=4, elites=1, reevaluate=True),
        evaluations=evaluations,
        target=SOLVED + 20,  # the champion was chosen by its luck, too
        seed=seed,
        progress=False,
    )
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    count = sum(one.individuals for one in run.generations())
    unseen = fitness.evaluate(run.best_model, Noise(seed, "/unseen", "fitness"))
    return {"seed": seed, "unseen": unseen, "evaluations": count, "seconds": seconds, "cpu": cpu, "reason": run.reason}


def main(words: list[str] | None = None) -> list[dict[str, Any]]:
    """Solve it from several seeds, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    given = parser.parse_args(words)
    torch.set_num_threads(1)
    found: list[dict[str, Any]] = []
    for seed in range(given.seeds):
        one = solve(seed)
        found.append(one)
        print(
            f"seed {seed}: {one['unseen']:.1f} in {one['evaluations']} evaluations, {one['seconds']:.1f} s "
            f"({one['cpu']:.1f} s of the processor)",
            flush=True,
        )
    for what in ("seconds", "cpu", "evaluations"):
        values = [one[what] for one in found]
        print(f"{what}: median {statistics.median(values):.1f}, worst {max(values):.1f}")
    print(f"solved: {sum(one['unseen'] >= SOLVED for one in found)} of {len(found)}")
    return found


if __name__ == "__main__":
    main()
