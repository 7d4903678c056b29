"""Accuracy against parameters on handwritten digits: growth that keeps the function, or each size from nothing.

NSGA-II widens, narrows and trains small classifiers (`train=`); a child starts where its parent was. Beside it,
networks of the sizes of the front are trained from nothing: with as many gradient steps in all, shared out equally;
and each with as many as its own line of descent had. Then what widening alone does: how children that were widened
begin, and what they reach in one training, beside networks of their sizes that begin from nothing.

    python examples/digits_front.py
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import torch
from sklearn.datasets import load_digits

import genewright as gw

STEPS, BATCH = 40, 64


def digits() -> tuple[torch.Tensor, ...]:
    """Return (images, labels) to train on, to choose by, and to report on."""
    found: Any = load_digits()
    order = torch.randperm(len(found.target), generator=torch.Generator().manual_seed(0))
    x, y = torch.tensor(found.images, dtype=torch.float32).flatten(1)[order] / 16, torch.tensor(found.target)[order]
    return x[:1000], y[:1000], x[1000:1400], y[1000:1400], x[1400:], y[1400:]


def network(units: int, seed: int = 0) -> torch.nn.Module:
    """Return an untrained classifier with one hidden layer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return torch.nn.Sequential(torch.nn.Linear(64, units), torch.nn.ReLU(), torch.nn.Linear(units, 10))


def parameters(model: torch.nn.Module) -> int:
    """Return how many values it has."""
    return sum(parameter.numel() for parameter in model.parameters())


def accuracy(model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    """Return the share of images that it tells rightly."""
    with torch.no_grad():
        return float((model(x).argmax(1) == y).float().mean())


class Judged:
    """The accuracy on the images to choose by, and the number of parameters: fewer are better."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor) -> None:
        self.x, self.y = x, y

    def __call__(self, model: torch.nn.Module) -> dict[str, float]:
        return {"accuracy": accuracy(model, self.x, self.y), "size": -float(parameters(model))}


class Taught:
    """Some steps of Adam on drawn batches; the learning rate is inherited and changes from parent to child."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor, steps: int) -> None:
        self.x, self.y, self.steps = x, y, steps

    def __call__(self, model: torch.nn.Module, trial: gw.Trial) -> None:
        optimizer = torch.optim.Adam(model.parameters(), lr=trial.settings["learning rate"])
        for _ in range(self.steps):
            batch = torch.randint(len(self.x), (BATCH,))
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(self.x[batch]), self.y[batch]).backward()
            optimizer.step()


def taught(units: int, x: torch.Tensor, y: torch.Tensor, steps: int, seed: int) -> torch.nn.Module:
    """Return a classifier that was trained from nothing."""
    model = network(units, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        Taught(x, y, steps)(model, gw.Trial(settings={"learning rate": 0.01}, state={}, seed=0, generation=0))
    return model


def widened(run: gw.Run, x: torch.Tensor, y: torch.Tensor, held_x: torch.Tensor, held_y: torch.Tensor) -> list[Any]:
    """Return held-out accuracies of each child that was widened: its parent's, and before and after one training.

    The last two are those of a network of its size that begins from nothing, before and after as much training.
    """
    rows: list[Any] = []
    for one in run.individuals():
        if one.mutation in ("wider", "much wider") and one.genome.trained and one.genome.operator is not None:
            parent, child = run.model(one.parents[0]), run.model(one)
            born = gw.mutate(parent, one.genome.operator, seed=one.genome.seed, example=x[:2])
            units = child[0].weight.shape[0]
            models = (parent, born, child, network(units, seed=1), taught(units, x, y, STEPS, seed=1))
            rows.append([accuracy(model, held_x, held_y) for model in models])
    return rows


def front(generations: int, population: int) -> dict[str, Any]:
    """Evolve a front, train its sizes from nothing with as many gradient steps, and return both.

    Args:
        generations: How many.
        population: Individuals of each, an even number.
    """
    start = time.perf_counter()
    x, y, choose_x, choose_y, held_x, held_y = digits()
    run = gw.evolve(
        network(2),
        Judged(choose_x, choose_y),
        mutation={
            "wider": gw.Widen(layer="0", num_units=1),
            "much wider": gw.Widen(layer="0", factor=1.5),
            "narrower": gw.Narrow(layer="0", num_units=1),
            "noise": gw.GaussianNoise(std=0.01),
        },
        example=x[:2],
        strategy=gw.NSGA2(population=population),
        train=gw.Training(Taught(x, y, STEPS), {"learning rate": 0.01}),
        generations=generations,
        seed=246,
        progress=False,
    )
    chosen = [(run.model(one), sum(bool(step.genome.trained) for step in run.lineage(one))) for one in run.front]
    steps = STEPS * sum(bool(one.genome.trained) for one in run.individuals())
    each = steps // len(chosen)
    rows: list[dict[str, float]] = []
    for model, trainings in chosen:
        units = model[0].weight.shape[0]
        row = {"parameters": parameters(model), "evolved": accuracy(model, held_x, held_y), "steps": STEPS * trainings}
        row["from nothing"] = accuracy(taught(units, x, y, each, seed=1), held_x, held_y)
        row["in its steps"] = accuracy(taught(units, x, y, STEPS * trainings, seed=1), held_x, held_y)
        rows.append(row)
    grown = widened(run, x, y, held_x, held_y)
    return {
        "rows": rows,
        "steps": steps,
        "steps each": each,
        "widened": len(grown),
        "means": [statistics.mean(column) for column in zip(*grown, strict=True)],
        "kept": sum(row[0] == row[1] for row in grown),
        "better": sum(row[2] > row[4] for row in grown),
        "seconds": time.perf_counter() - start,
    }


def main(words: list[str] | None = None) -> dict[str, Any]:
    """Evolve, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generations", type=int, default=40)
    parser.add_argument("--population", type=int, default=16)
    given = parser.parse_args(words)
    torch.set_num_threads(1)
    found = front(given.generations, given.population)
    print(
        f"{found['steps']:,} gradient steps each way ({found['steps each']:,} for each size), {found['seconds']:.0f} s"
    )
    print("parameters  evolved  from nothing  steps of its line  from nothing in these  (accuracy on unseen images)")
    for row in sorted(found["rows"], key=lambda row: row["parameters"]):
        shown = f"{row['evolved']:7.2%}  {row['from nothing']:12.2%}  {row['steps']:17,}  {row['in its steps']:21.2%}"
        print(f"{row['parameters']:10,}  {shown}")
    if found["widened"]:
        parent, born, child, nothing, alone = found["means"]
        print(
            f"{found['widened']} widened children: {found['kept']} begin with their parent's accuracy; means: parent "
            f"{parent:.2%}, child at first {born:.2%}, after {STEPS} steps {child:.2%}; from nothing {nothing:.2%}, "
            f"after {STEPS} steps {alone:.2%}; the child is better {found['better']} times"
        )
    return found


if __name__ == "__main__":
    main()
