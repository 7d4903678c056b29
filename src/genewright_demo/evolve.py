"""A short evolution of the trained network, weights and widths together: as good with fewer values; and its page."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import genewright as gw
from genewright_demo.console import Console
from genewright_demo.digits import Digits, Seed
from genewright_demo.folder import Folder
from genewright_demo.framework import Framework

GENERATIONS, POPULATION = 6, 8
_JUDGED_ON = 400  # images of those that it was trained on; the held-out ones choose nothing here
_A_VALUE_COSTS = 2e-6  # of cross-entropy
MUTATIONS = {
    "weights": gw.GaussianNoise(std=0.02, relative_to="tensor"),
    "fewer units": gw.Narrow(layer="hidden", num_units=6),
    "fewer maps": gw.Narrow(layer="conv2", num_units=2),
    "more units": gw.Widen(layer="hidden", num_units=2),
}


@dataclass(frozen=True, kw_only=True)
class Evolved:
    """What came of the evolution.

    Attributes:
        individuals: How many were judged.
        fitness: Of the trained network, and of the champion.
        parameters: Trainable values of both.
        accuracy: Of both, on the held-out images.
        steps: How many mutations lead to the champion.
        champion: Its fingerprint.
    """

    individuals: int
    fitness: tuple[float, float]
    parameters: tuple[int, int]
    accuracy: tuple[float, float]
    steps: int
    champion: str

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return asdict(self)


def evolve(model: Any, digits: Digits, framework: Framework, seed: Seed, folder: Folder, console: Console) -> Evolved:
    """Evolve the trained network, and write the champion and the page.

    Raises:
        FileError: A file cannot be written.
    """
    images, labels = digits.images[:_JUDGED_ON], digits.labels[:_JUDGED_ON]
    fitness = gw.fitness.Supervised(images, labels, "cross_entropy", batch=_JUDGED_ON)
    with console.working("Evolving"):
        run = gw.evolve(
            model,
            fitness + gw.fitness.Penalty("size", weight=_A_VALUE_COSTS),
            mutation=MUTATIONS,
            example=digits.images[:8],
            strategy=gw.GeneticAlgorithm(population=POPULATION, parents=3, elites=1),
            generations=GENERATIONS,
            seed=seed,
            progress=False,
        )
        champion = run.best_model
        gw.save(champion, folder.evolved, overwrite=True)
        run.report(folder.evolution, overwrite=True)
    held_out = digits.held_images, digits.held_labels
    accuracy = gw.compare(model, champion, held_out, metrics="accuracy").metrics["accuracy"]
    before, after = run.individual(0).objective, run.best.objective
    assert before is not None
    assert after is not None
    return Evolved(
        individuals=sum(one.individuals for one in run.generations()),
        fitness=(before, after),
        parameters=(framework.parameters(model), framework.parameters(champion)),
        accuracy=(accuracy.before, accuracy.after),
        steps=len(run.lineage(run.best)) - 1,
        champion=gw.fingerprint(champion),
    )


def say_evolved(found: Evolved, folder: Folder, console: Console) -> None:
    """Print what came of it."""
    console.say(
        f"  {found.individuals} individuals in {GENERATIONS} generations, weights and widths mutated. Fitness: minus\n"
        f"  the loss on {_JUDGED_ON} training images and {_A_VALUE_COSTS:g} for each trainable value.\n"
    )
    console.table(
        ["  network", "fitness", "parameters", "held-out accuracy"],
        [
            [f"  {name}", f"{found.fitness[at]:.4f}", f"{found.parameters[at]:,}", f"{found.accuracy[at]:.2%}"]
            for at, name in enumerate(("as trained", f"champion, {found.steps} mutations later"))
        ],
        numbers=("fitness", "parameters", "held-out accuracy"),
    )
    console.say(f"\n  How it came about, to be opened in a browser: {folder.evolution}")
