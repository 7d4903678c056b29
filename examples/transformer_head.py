"""The head of a small transformer, evolved by an evolution strategy while all below it stays as it is.

The task: say whether the first two of eight numbers add up to at least twelve. The body is random, the head learns.

    python examples/transformer_head.py
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch

import genewright as gw

LENGTH, WORDS = 8, 12


class Transformer(torch.nn.Module):
    """Two encoder layers over embedded words, and a head on their first place."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(WORDS, width)
        self.place = torch.nn.Parameter(torch.randn(LENGTH, width) * 0.3)
        layer = torch.nn.TransformerEncoderLayer(width, 4, 64, dropout=0.0, batch_first=True)
        self.body = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = torch.nn.Linear(width * LENGTH, 2)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        """Return logits for words (batch, 8)."""
        return self.head(self.body(self.embedding(words) + self.place).flatten(1))


def sentences(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return sentences, and whether their first two words add up to at least twelve."""
    words = torch.randint(WORDS, (count, LENGTH), generator=torch.Generator().manual_seed(seed))
    return words, (words[:, 0] + words[:, 1] >= WORDS).long()


def learn(generations: int, population: int) -> dict[str, Any]:
    """Evolve the head.

    Args:
        generations: How many.
        population: Individuals of each, an even number.
    """
    start = time.perf_counter()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Transformer().eval()
    x, y = sentences(512, 1)
    held_x, held_y = sentences(1000, 2)
    run = gw.evolve(
        model,
        gw.fitness.Supervised(x, y, "cross_entropy", batch=512),
        strategy=gw.EvolutionStrategy(population=population, std=0.02, learning_rate=0.02, where=gw.where("head.*")),
        generations=generations,
        seed=246,
        progress=False,
    )
    below = [name for name in model.state_dict() if not name.startswith("head")]
    best = run.best_model.state_dict()
    changed = sum(not torch.equal(best[name], model.state_dict()[name]) for name in below)
    accuracy = gw.compare(model, run.best_model, (held_x, held_y), metrics="accuracy").metrics["accuracy"]
    return {
        "loss": (-float(run.individual(0).fitness), -float(run.best.fitness)),
        "accuracy": (accuracy.before, accuracy.after),
        "changed below the head": changed,
        "seconds": time.perf_counter() - start,
    }


def main(words: list[str] | None = None) -> dict[str, Any]:
    """Evolve and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generations", type=int, default=60)
    parser.add_argument("--population", type=int, default=24)
    given = parser.parse_args(words)
    torch.set_num_threads(1)
    found = learn(given.generations, given.population)
    print(f"loss {found['loss'][0]:.4f} before, {found['loss'][1]:.4f} after")
    print(f"held-out accuracy {found['accuracy'][0]:.2%} before, {found['accuracy'][1]:.2%} after")
    print(f"tensors changed below the head: {found['changed below the head']}; {found['seconds']:.0f} s")
    return found


if __name__ == "__main__":
    main()
