"""The demo's steps, in order, and what they found."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import genewright as gw
from genewright.report.accuracy_map import draw_accuracy_map
from genewright.report.weights_before_after import draw_weights_before_after
from genewright_demo.commands import next_commands, replay_in_a_fresh_process
from genewright_demo.console import Console
from genewright_demo.digits import Digits, Seed, load_digits
from genewright_demo.evolve import Evolved, evolve, say_evolved
from genewright_demo.folder import Folder
from genewright_demo.framework import Framework
from genewright_demo.grid import RATES, STRENGTHS, Cell, best_of, mutate_over_grid, mutation
from genewright_demo.grow import Stage, draw_stages, grow, regrow, say_stages
from genewright_demo.mutants import Judged, judge_by_mutants, say_judged
from genewright_demo.recycle import Recycling, recycle, say_recycling


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one run of the demo measured and wrote.

    Attributes:
        accuracy: Held-out accuracy of the trained network.
        held_out: Number of held-out images.
        cells: Every mutant of the grid.
        best: The mutant that was saved.
        original: Fingerprint of the trained network.
        mutant: Fingerprint of the saved mutant.
        replayed: Fingerprint that a fresh process reached from the recipe.
        undone: Fingerprint of the network after mutating it in place and undoing that.
        stages: The networks of the part on architecture.
        grown: Fingerprint of the network made wider and deeper.
        regrown: Fingerprint that a fresh process reached from its recipe.
        recycling: What became of the dead units of a badly trained network.
        evolved: What came of the short evolution.
        test_set: What mutants and faults say of the held-out images and of the network.
        files: The files by what they are.
        commands: The next commands to try.
    """

    accuracy: float
    held_out: int
    cells: tuple[Cell, ...]
    best: Cell
    original: str
    mutant: str
    replayed: str
    undone: str
    stages: tuple[Stage, ...]
    grown: str
    regrown: str
    recycling: Recycling
    evolved: Evolved
    test_set: Judged
    files: dict[str, str]
    commands: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON holds it."""
        return {
            **vars(self),
            "cells": [cell.to_json() for cell in self.cells],
            "best": self.best.to_json(),
            "stages": [stage.to_json() for stage in self.stages],
            "recycling": self.recycling.to_json(),
            "evolved": self.evolved.to_json(),
            "test_set": self.test_set.to_json(),
            "commands": list(self.commands),
        }


def run_demo(folder: Folder, framework: Framework, seed: Seed, console: Console, *, epochs: int) -> Result:
    """Train, mutate over the grid, draw, save the best mutant, replay it in a fresh process, and undo it."""
    start = time.monotonic()
    digits = load_digits(seed)
    if framework.channels_last:
        digits = digits.channels_last()
    with framework.one_thread():
        model, accuracy = _trained(framework, digits, seed, console, epochs)
        cells = mutate_over_grid(model, digits, seed, console)
    _say_grid(cells, len(digits.held_labels), console)
    best = best_of(cells)
    _say_best(best, accuracy, console)
    mutant = gw.mutate(model, mutation(best.std, best.rate), seed=seed)
    with console.working("Drawing and saving"):
        _save(folder, model, mutant, digits)
        draw_accuracy_map(
            folder.grid,
            STRENGTHS,
            RATES,
            _table(cells),
            original=accuracy,
            best=(best.std, best.rate),
            samples=len(digits.held_labels),
        )
        draw_weights_before_after(
            folder.weights, model, mutant, title=f"std {best.std:g}, rate {best.rate:g}", strength=best.std
        )
    replayed = _replayed(folder, mutant, console)
    undone = _undone(model, best, seed, console)
    console.say("\nChange the architecture", style="bold")
    with framework.one_thread():
        grown, stages = grow(model, digits, framework, seed, console)
    say_stages(stages, len(digits.held_labels), console)
    regrown = regrow(folder, framework, grown, console)
    draw_stages(folder.growth, stages)
    console.say("\nRecycle dead units", style="bold")
    with framework.one_thread():
        recycling = recycle(digits, framework, seed, console)
    say_recycling(recycling, console)
    console.say("\nEvolve", style="bold")
    with framework.one_thread():
        evolved = evolve(model, digits, framework, seed, folder, console)
    say_evolved(evolved, folder, console)
    console.say("\nHow good is the test set?", style="bold")
    with framework.one_thread():
        test_set = judge_by_mutants(model, digits, seed, folder, console)
    say_judged(test_set, folder, console)
    result = Result(
        accuracy=accuracy,
        held_out=len(digits.held_labels),
        cells=tuple(cells),
        best=best,
        original=gw.fingerprint(model),
        mutant=gw.fingerprint(mutant),
        replayed=replayed,
        undone=undone,
        stages=tuple(stages),
        grown=gw.fingerprint(grown),
        regrown=regrown,
        recycling=recycling,
        evolved=evolved,
        test_set=test_set,
        files={name: str(path) for name, path in folder.files().items()},
        commands=tuple(next_commands(folder, framework)),
    )
    report = json.dumps(result.to_json(), indent=2, allow_nan=False) + "\n"
    folder.write(folder.report, report.encode())
    _say_end(result, time.monotonic() - start, console)
    return result


def _trained(framework: Framework, digits: Digits, seed: Seed, console: Console, epochs: int) -> tuple[Any, float]:
    console.say("Train", style="bold")
    console.say(f"  {len(digits.labels):,} real handwritten digits; {len(digits.held_labels)} more are held out")
    model = framework.train(digits, seed, console, epochs)
    found = gw.compare(model, model, (digits.held_images, digits.held_labels), metrics="accuracy")
    accuracy = found.metrics["accuracy"].before
    console.say(f"  {framework.parameters(model):,} parameters, held-out accuracy {accuracy:.2%}")
    return model, accuracy


def _say_grid(cells: Sequence[Cell], held_out: int, console: Console) -> None:
    console.say("\nMutate", style="bold")
    console.say(
        "  GaussianNoise on all weights and biases. std: in standard deviations of each tensor;\n"
        "  rate: the share that changes. Each cell: held-out accuracy / agreement with the\n"
        f"  original, in % of {held_out} images.\n"
    )
    columns = ["  std", *(f"rate {rate:g}" for rate in RATES)]
    rows = [
        [f"  {std:g}", *(f"{c.accuracy:.1%}/{c.agreement:.1%}".replace("%", "") for c in cells if c.std == std)]
        for std in STRENGTHS
    ]
    console.table(columns, rows, numbers=columns)


def _say_best(best: Cell, accuracy: float, console: Console) -> None:
    console.say(
        f"\n  Best: std {best.std:g}, rate {best.rate:g}: {best.accuracy:.2%} (the original: {accuracy:.2%}).\n"
        "  'Best' is the highest held-out accuracy, and among equals the largest mutation\n"
        "  (std * sqrt(rate)). It was chosen on the images that judge it, so it flatters."
    )


def _table(cells: Sequence[Cell]) -> list[list[float]]:
    return [[cell.accuracy for cell in cells if cell.std == std] for std in STRENGTHS]


def _save(folder: Folder, model: Any, mutant: Any, digits: Digits) -> None:
    gw.save(model, folder.original, overwrite=True)
    gw.save(mutant, folder.mutant, overwrite=True)
    gw.recipe(mutant).save(folder.recipe, overwrite=True)
    held_out = io.BytesIO()
    np.savez_compressed(held_out, X=digits.held_images, y=digits.held_labels)
    folder.write(folder.held_out, held_out.getvalue())


def _replayed(folder: Folder, mutant: Any, console: Console) -> str:
    console.say("\nReplay", style="bold")
    with console.working("Replaying in a fresh process"):
        found = replay_in_a_fresh_process(folder.recipe, [str(folder.original)], folder.mutant, folder.replayed)
    if found != gw.fingerprint(mutant):
        raise gw.FingerprintError(f"The replay gave {found}, the mutant is {gw.fingerprint(mutant)}.")
    size = folder.recipe.stat().st_size
    console.say(f"  A fresh process made the mutant from the original and the recipe of {size} bytes.")
    console.say("  Every byte of every tensor in the two files agrees.")
    console.say(f"  mutant     {gw.fingerprint(mutant)}\n  replayed   {found}")
    return found


def _undone(model: Any, best: Cell, seed: Seed, console: Console) -> str:
    before = gw.fingerprint(model)
    with gw.mutated(model, mutation(best.std, best.rate), seed=seed):
        meanwhile = gw.fingerprint(model)
    after = gw.fingerprint(model)
    if before != after:
        raise gw.FingerprintError(f"The undo gave {after}, before the mutation it was {before}.")
    console.say("\nUndo", style="bold")
    console.say(f"  before     {before}\n  mutated    {meanwhile}\n  undone     {after}   every byte is back")
    return after


def _say_end(result: Result, seconds: float, console: Console) -> None:
    console.say(f"\nDone in {seconds:.0f} s. Files", style="bold")
    for path in result.files.values():
        console.say(f"  {path}")
    console.say("\nNext, for example", style="bold")
    for command in result.commands:
        console.say(f"  {command}")
