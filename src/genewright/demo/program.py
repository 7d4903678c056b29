"""The demo's steps, in order."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genewright.backends import backend_of
from genewright.compare import compare
from genewright.demo.checks import replay_in_a_fresh_process, undo
from genewright.demo.commands import next_commands
from genewright.demo.data import Digits, load_digits
from genewright.demo.folder import Folder
from genewright.demo.framework import Framework
from genewright.demo.grid import RATES, STRENGTHS, Cell, best_of, mutate_over_grid, mutation
from genewright.demo.grow import grow
from genewright.demo.result import Result
from genewright.demo.stages import draw_stages, regrow, say_stages
from genewright.demo.tell import Tell
from genewright.errors import FingerprintError
from genewright.files import save
from genewright.mutate import fingerprint, mutate, recipe
from genewright.report.accuracy_map import draw_accuracy_map
from genewright.report.weights_before_after import draw_weights_before_after
from genewright.seeding import Seed
from genewright.storage import write_atomically


def run_demo(folder: Folder, framework: Framework, seed: Seed, tell: Tell, *, epochs: int) -> Result:
    """Train, mutate over the grid, draw, save the best mutant, replay it in a fresh process, and undo it."""
    start = time.monotonic()
    digits = framework.laid_out(load_digits(seed))
    with framework.one_thread():
        model, accuracy = _trained(framework, digits, seed, tell, epochs)
        cells = mutate_over_grid(model, digits, seed, tell)
    _say_grid(cells, len(digits.held_labels), tell)
    best = best_of(cells)
    _say_best(best, accuracy, tell)
    mutant = mutate(model, mutation(best.std, best.rate), seed=seed)
    with tell.working("Drawing and saving"):
        _save(folder, model, mutant, digits)
        draw_accuracy_map(folder.grid, STRENGTHS, RATES, _table(cells), original=accuracy, best=(best.std, best.rate))
        draw_weights_before_after(folder.weights, model, mutant, title=f"std {best.std:g}, rate {best.rate:g}")
    replayed = _replayed(folder, mutant, tell)
    undone = _undone(model, best, seed, tell)
    tell.say("\nChange the architecture", style="bold")
    with framework.one_thread():
        grown, stages = grow(model, digits, framework, seed, tell)
    say_stages(stages, len(digits.held_labels), tell)
    regrown = regrow(folder, framework, grown, tell)
    draw_stages(folder.growth, stages)
    result = Result(
        accuracy=accuracy,
        held_out=len(digits.held_labels),
        cells=tuple(cells),
        best=best,
        original=fingerprint(model),
        mutant=fingerprint(mutant),
        replayed=replayed,
        undone=undone,
        stages=tuple(stages),
        grown=fingerprint(grown),
        regrown=regrown,
        files={name: str(path) for name, path in folder.files().items()},
        commands=tuple(next_commands(folder, framework)),
    )
    report = json.dumps(result.to_json(), indent=2, allow_nan=False) + "\n"
    write_atomically(folder.report, [report.encode()], overwrite=True)
    _say_end(result, time.monotonic() - start, tell)
    return result


def _trained(framework: Framework, digits: Digits, seed: Seed, tell: Tell, epochs: int) -> tuple[Any, float]:
    tell.say("Train", style="bold")
    tell.say(f"  {len(digits.labels):,} real handwritten digits; {len(digits.held_labels)} more are held out")
    model = framework.train(digits, seed, tell, epochs)
    found = compare(model, model, (digits.held_images, digits.held_labels), metrics="accuracy")
    accuracy = found.metrics["accuracy"].before
    parameters = sum(t.size for t in backend_of(model).network(model).tensors.values() if t.trainable)
    tell.say(f"  {parameters:,} parameters, held-out accuracy {accuracy:.2%}")
    return model, accuracy


def _say_grid(cells: Sequence[Cell], held_out: int, tell: Tell) -> None:
    tell.say("\nMutate", style="bold")
    tell.say(
        "  GaussianNoise on all weights and biases. std: in standard deviations of each tensor;\n"
        "  rate: the share that changes. Each cell: held-out accuracy / agreement with the\n"
        f"  original, in % of {held_out} images.\n"
    )
    columns = ["  std", *(f"rate {rate:g}" for rate in RATES)]
    rows = [
        [f"  {std:g}", *(f"{c.accuracy:.1%}/{c.agreement:.1%}".replace("%", "") for c in cells if c.std == std)]
        for std in STRENGTHS
    ]
    tell.table(columns, rows, numbers=columns)


def _say_best(best: Cell, accuracy: float, tell: Tell) -> None:
    tell.say(
        f"\n  Best: std {best.std:g}, rate {best.rate:g}: {best.accuracy:.2%} (the original: {accuracy:.2%}).\n"
        "  'Best' is the highest held-out accuracy, and among equals the largest mutation\n"
        "  (std * sqrt(rate)). It was chosen on the images that judge it, so it flatters."
    )


def _table(cells: Sequence[Cell]) -> list[list[float]]:
    return [[cell.accuracy for cell in cells if cell.std == std] for std in STRENGTHS]


def _save(folder: Folder, model: Any, mutant: Any, digits: Digits) -> None:
    def write_data(path: Path) -> None:
        with path.open("wb") as file:
            np.savez_compressed(file, X=digits.held_images, y=digits.held_labels)

    save(model, folder.original, overwrite=True)
    save(mutant, folder.mutant, overwrite=True)
    recipe(mutant).save(folder.recipe, overwrite=True)
    write_atomically(folder.held_out, write_data, overwrite=True)


def _replayed(folder: Folder, mutant: Any, tell: Tell) -> str:
    tell.say("\nReplay", style="bold")
    with tell.working("Replaying in a fresh process"):
        found = replay_in_a_fresh_process(folder.recipe, [str(folder.original)], folder.mutant, folder.replayed)
    if found != fingerprint(mutant):
        raise FingerprintError(f"The replay gave {found}, the mutant is {fingerprint(mutant)}.")
    size = folder.recipe.stat().st_size
    tell.say(f"  A fresh process made the mutant from the original and the recipe of {size} bytes.")
    tell.say("  Every byte of every tensor in the two files agrees.")
    tell.say(f"  mutant     {fingerprint(mutant)}\n  replayed   {found}")
    return found


def _undone(model: Any, best: Cell, seed: Seed, tell: Tell) -> str:
    before, meanwhile, after = undo(model, mutation(best.std, best.rate), seed)
    if before != after:
        raise FingerprintError(f"The undo gave {after}, before the mutation it was {before}.")
    tell.say("\nUndo", style="bold")
    tell.say(f"  before     {before}\n  mutated    {meanwhile}\n  undone     {after}   every byte is back")
    return after


def _say_end(result: Result, seconds: float, tell: Tell) -> None:
    tell.say(f"\nDone in {seconds:.0f} s. Files", style="bold")
    for path in result.files.values():
        tell.say(f"  {path}")
    tell.say("\nNext, for example", style="bold")
    for command in result.commands:
        tell.say(f"  {command}")
