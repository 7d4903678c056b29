"""LunarLander-v3 from nothing: an evolution strategy on a linear policy, to a mean above 200 on episodes that are new.

    python examples/lunar_lander.py --seeds 8

It needs gymnasium[box2d]. A seed takes 3 to 12 minutes; what has been measured is in docs/benchmarks/evolution.md.
"""

from __future__ import annotations

import argparse
import statistics
import time
from importlib.util import find_spec
from typing import Any

import torch

import genewright as gw
from genewright.seeding import Noise

SOLVED, UNSEEN = 200.0, 100
MAX_STEPS = 600  # a lander that hovers has not landed


def network() -> torch.nn.Module:
    """Return a policy that does nothing: eight observations, four actions."""
    policy = torch.nn.Linear(8, 4)
    for parameter in policy.parameters():
        torch.nn.init.zeros_(parameter)
    return policy


class Landed(gw.Callback):
    """Ends a run when the medians of its last five generations, 15 episodes, are well above 200 on the average."""

    def __init__(self) -> None:
        self.medians: list[float] = []

    def told(self, report: gw.Report) -> bool:
        self.medians.append(report.median or 0.0)
        return len(self.medians) >= 5 and statistics.mean(self.medians[-5:]) >= SOLVED + 20


def solve(seed: int, *, generations: int = 150) -> dict[str, Any]:
    """Evolve a policy; every generation has new episodes, so that none is learnt by heart.

    Args:
        seed: Of the run.
        generations: How many at most.
    """
    start, cpu = time.perf_counter(), time.process_time()
    run = gw.evolve(
        network(),
        gw.fitness.Gymnasium("LunarLander-v3", episodes=3, max_steps=MAX_STEPS),
        strategy=gw.EvolutionStrategy(population=64, std=0.1, learning_rate=0.05),
        generations=generations,
        callbacks=[Landed()],
        seed=seed,
        progress=False,
    )
    # By three episodes the best was lucky, too: 30 new ones choose among the eight best.
    champion, _ = run.rejudged(gw.fitness.Gymnasium("LunarLander-v3", episodes=30), count=8, seed=seed)[0]
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    judge = gw.fitness.Gymnasium("LunarLander-v3", episodes=UNSEEN)
    return {
        "seed": seed,
        "unseen": judge.evaluate(run.model(champion), Noise(seed, "/unseen", "fitness")),
        "evaluations": sum(one.individuals for one in run.generations()),
        "fitness": (run.individual(0).fitness, champion.fitness),
        "seconds": seconds,
        "cpu": cpu,
    }


def main(words: list[str] | None = None) -> list[dict[str, Any]]:
    """Solve it from several seeds, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--first", type=int, default=1)
    given = parser.parse_args(words)
    if find_spec("Box2D") is None:
        print("left out: Box2D is not installed (pip install 'gymnasium[box2d]'; it has wheels for some Pythons only)")
        return []
    torch.set_num_threads(1)
    found: list[dict[str, Any]] = []
    for seed in range(given.first, given.first + given.seeds):
        one = solve(seed)
        found.append(one)
        print(
            f"seed {seed}: {one['unseen']:.1f} in {one['evaluations']} evaluations, {one['seconds']:.1f} s "
            f"({one['cpu']:.1f} s of the processor)",
            flush=True,
        )
    for what in ("seconds", "cpu", "evaluations", "unseen"):
        values = [one[what] for one in found]
        print(f"{what}: median {statistics.median(values):.1f}, from {min(values):.1f} to {max(values):.1f}")
    print(f"above {SOLVED:.0f}: {sum(one['unseen'] > SOLVED for one in found)} of {len(found)}")
    return found


if __name__ == "__main__":
    main()
