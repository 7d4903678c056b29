"""How the part on architecture is told, drawn and proved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genewright.demo.checks import replay_in_a_fresh_process
from genewright.demo.commands import base_words
from genewright.demo.folder import Folder
from genewright.demo.framework import Framework
from genewright.demo.grow import ADDED, LAYER, Stage
from genewright.demo.tell import Tell
from genewright.errors import FingerprintError
from genewright.files import save
from genewright.mutate import fingerprint, recipe
from genewright.report.growth import draw_growth

_SAME = 1e-5  # float32 outputs; the mutation itself is checked in float64


def say_stages(stages: Sequence[Stage], held_out: int, tell: Tell) -> None:
    """Print what each network is and does."""
    tell.say(
        f"  Wider: {ADDED} units more in {LAYER}, each a copy that shares what reads it. Deeper: a convolution with\n"
        "  ReLU behind the pooling, the identity at first. The plain way: new units drawn at random.\n"
        f"  Outputs: the largest change on {held_out} held-out images, relative to the largest output.\n"
    )
    tell.table(
        ["  network", "parameters", "outputs change by", "held-out accuracy", "cross-entropy"],
        [
            [
                f"  {stage.name}",
                f"{stage.parameters:,}",
                _change(stage),
                f"{stage.accuracy:.2%}",
                f"{stage.cross_entropy:.4f}",
            ]
            for stage in stages
        ],
        numbers=("parameters", "outputs change by", "held-out accuracy", "cross-entropy"),
    )
    tell.say("\n  Narrowed by the units that were added, every byte of the trained network is back.")


def _change(stage: Stage) -> str:
    if stage.trained:
        return "by training"
    return "0" if stage.relative_error == 0 else f"{stage.relative_error:.1e}"


def draw_stages(path: Path, stages: Sequence[Stage]) -> None:
    """Draw the networks by size and loss."""
    kinds = ["trained" if s.trained else "kept" if s.relative_error <= _SAME else "changed" for s in stages]
    points = [(s.name, s.parameters, s.cross_entropy, k) for s, k in zip(stages, kinds, strict=True)]
    draw_growth(path, points, original=stages[0].cross_entropy)


def regrow(folder: Folder, framework: Framework, grown: Any, tell: Tell) -> str:
    """Save the grown network, make it again in a fresh process, and return what fingerprint that has found.

    Raises:
        FingerprintError: It is another one.
    """
    save(grown, folder.grown, overwrite=True)
    recipe(grown).save(folder.grown_recipe, overwrite=True)
    with tell.working("Replaying in a fresh process"):
        base = base_words(folder.original, framework)
        found = replay_in_a_fresh_process(folder.grown_recipe, base, folder.grown, folder.grown_replayed)
    if found != fingerprint(grown):
        raise FingerprintError(f"The replay gave {found}, the grown network is {fingerprint(grown)}.")
    size = folder.grown_recipe.stat().st_size
    tell.say(f"  A fresh process grew the trained network again from the recipe of {size:,} bytes.")
    tell.say(f"  grown      {fingerprint(grown)}\n  replayed   {found}")
    return found
