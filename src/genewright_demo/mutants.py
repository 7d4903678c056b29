"""How good the held-out images are as a test set, by the mutants that they kill; and what one flipped bit does."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

import genewright as gw
from genewright.report.mutation_testing.faults_by_bit import draw_faults_by_bit
from genewright_demo.console import Console
from genewright_demo.digits import Digits, Seed
from genewright_demo.folder import Folder

COUNT = 60
MUTANTS = gw.Mutants((gw.Zero(rate=0.05),), sites="all")
_SHOWN = 3  # survivors


@dataclass(frozen=True, kw_only=True)
class Survivor:
    """A mutant that the whole test set does not tell from the original.

    Attributes:
        number: Its number in the report.
        label: What it is.
        broken: Images that it gets wrong and the original right.
        mended: Images that it gets right and the original wrong.
        adjusted: p after the correction.
        result: Its fingerprint, which it has when the report's recipe makes it again.
    """

    number: int
    label: str
    broken: int
    mended: int
    adjusted: float | None
    result: str


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What was found of the test set.

    Attributes:
        whole: (killed, of) by all held-out images.
        confident: The same by the half that the network is most sure of.
        sizes: Number of images of both.
        accuracy: Of the original on both.
        survivors: Some of those that survive the whole set.
        faults: (failed, injected, population) of single flipped bits.
        by_field: (failed, injected) for sign, exponent and mantissa.
    """

    whole: tuple[int, int]
    confident: tuple[int, int]
    sizes: tuple[int, int]
    accuracy: tuple[float, float]
    survivors: tuple[Survivor, ...]
    faults: tuple[int, int, int]
    by_field: dict[str, tuple[int, int]]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return asdict(self)


def judge_by_mutants(model: Any, digits: Digits, seed: Seed, folder: Folder, console: Console) -> Judged:
    """Kill mutants with the whole test set and with its confident half, flip bits, and draw what they do.

    Raises:
        FingerprintError: A survivor's recipe does not make it again.
        FileError: A file cannot be written.
    """
    images, labels = digits.held_images, digits.held_labels
    with console.working("Running mutants"):
        whole = gw.campaign(model, (images, labels), MUTANTS, count=COUNT, seed=seed, progress=False)
        sure = np.argsort(-whole.confidence(), kind="stable")[: len(labels) // 2]
        half = gw.campaign(model, (images[sure], labels[sure]), MUTANTS, count=COUNT, seed=seed, progress=False)
        whole.save(folder.mutants, overwrite=True)
        shown = [row for row in whole.survivors()[:_SHOWN] if whole.mutant(row.number, model) is not None]
    with console.working("Flipping bits"):
        rate = gw.fault_rate(
            model,
            (images, labels),
            gw.BitFlip(count=1),
            margin=0.05,
            confidence=0.95,
            sequential=False,
            seed=seed,
            progress=False,
        )
        draw_faults_by_bit(folder.faults, rate)
    reports = (whole, half)
    scores = [report.score() for report in reports]
    return Judged(
        whole=(scores[0].killed, scores[0].of),
        confident=(scores[1].killed, scores[1].of),
        sizes=(len(labels), len(sure)),
        accuracy=(whole.originals[0].score, half.originals[0].score),
        survivors=tuple(
            Survivor(
                number=row.number,
                label=row.label,
                broken=row.broken,
                mended=row.mended,
                adjusted=row.adjusted,
                result=row.result or "",
            )
            for row in shown
        ),
        faults=(rate.rate.failed, rate.rate.of, rate.rate.population),
        by_field={name: (one.failed, one.of) for name, one in rate.by("field").items()},
    )


def say_judged(found: Judged, folder: Folder, console: Console) -> None:
    """Print what was found."""
    console.say(
        f"  {COUNT} mutants, in each 5 % of all weights and biases zero. Killed: more images broken than\n"
        "  mended, beyond chance (exact McNemar, Benjamini-Hochberg over the mutants, 0.05).\n"
    )
    console.table(
        ["  test set", "images", "accuracy", "killed"],
        [
            [f"  {name}", f"{size}", f"{accuracy:.2%}", f"{killed} of {of}"]
            for name, size, accuracy, (killed, of) in (
                ("all held-out images", found.sizes[0], found.accuracy[0], found.whole),
                ("the half it is most sure of", found.sizes[1], found.accuracy[1], found.confident),
            )
        ],
        numbers=("images", "accuracy", "killed"),
    )
    if found.survivors:
        console.say("\n  Survivors of all images, those first that change most predictions; each was made again:")
        for one in found.survivors:
            told = "" if one.adjusted is None else f", p = {one.adjusted:.3f}"
            console.say(
                f"  {one.number:3}  {one.label}: {one.broken} images broken, {one.mended} mended{told}; {one.result}"
            )
    failed, injected, population = found.faults
    told = "; ".join(f"{name} {bad} of {of}" for name, (bad, of) in found.by_field.items())
    console.say(
        f"\n  One bit flipped, {injected} of {population:,} such faults drawn: {failed} fail, that is, a\n"
        "  prediction changes or an output is not finite.\n"
        f"  {told}. By bit: {folder.faults}"
    )
