"""Changing the architecture of the trained network: wider, narrow again, deeper; trained on, drawn and replayed."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import genewright as gw
from genewright.report.growth import Way, draw_growth
from genewright_demo.commands import base_words, replay_in_a_fresh_process
from genewright_demo.console import Console
from genewright_demo.digits import Digits, Seed
from genewright_demo.folder import Folder
from genewright_demo.framework import Framework

LAYER, UNITS, ADDED = "conv2", 32, 16
WIDER = gw.Widen(layer=LAYER, num_units=ADDED)
NARROW_AGAIN = gw.Narrow(layer=LAYER, units=tuple(range(UNITS, UNITS + ADDED)))
DEEPER = gw.InsertLayer(after="pool", activation="ReLU")
PLAIN = gw.Widen(layer=LAYER, num_units=ADDED, init="noise", placement="both")
_FURTHER = ", trained on"
_SAME = 1e-5  # float32 outputs; the mutation itself is checked in float64


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One network of this part.

    Attributes:
        name: What was done.
        parameters: How many trainable values it has.
        relative_error: Largest change of an output on the held-out images, relative to the largest output.
        accuracy: On the held-out images.
        cross_entropy: On the held-out images.
        trained: Training has gone on, so that the outputs are meant to differ.
    """

    name: str
    parameters: int
    relative_error: float
    accuracy: float
    cross_entropy: float
    trained: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the stage as JSON holds it."""
        return asdict(self)


def grow(model: Any, digits: Digits, framework: Framework, seed: Seed, console: Console) -> tuple[Any, list[Stage]]:
    """Return the grown network (wider and deeper, not trained yet), and all stages.

    Raises:
        FingerprintError: Narrowing by the units that were added did not bring the first bytes back.
    """
    example = digits.held_images[:8]
    wider = gw.mutate(model, WIDER, seed=seed, example=example)
    back = gw.mutate(wider, NARROW_AGAIN, seed=seed, example=example)
    if gw.fingerprint(back) != gw.fingerprint(model):
        raise gw.FingerprintError(
            f"Narrowed again it is {gw.fingerprint(back)}, before it was {gw.fingerprint(model)}."
        )
    grown = gw.mutate(wider, DEEPER, seed=seed, example=example)
    plain = gw.mutate(model, PLAIN, seed=seed, example=example)
    made = {
        "as trained": model,
        "wider": wider,
        "narrow again": back,
        "wider and deeper": grown,
        "wider, the plain way": plain,
    }
    stages = [_stage(name, model, each, digits, framework) for name, each in made.items()]
    for name, each in (("as trained, trained on", model), ("wider and deeper, trained on", grown)):
        further = framework.train_further(copy.deepcopy(each), digits, seed, console)
        stages.append(_stage(name, model, further, digits, framework, trained=True))
    return grown, stages


def _stage(
    name: str, original: Any, model: Any, digits: Digits, framework: Framework, *, trained: bool = False
) -> Stage:
    data = digits.held_images, digits.held_labels
    found = gw.compare(original, model, data, metrics=("accuracy", "cross_entropy"))
    return Stage(
        name=name,
        parameters=framework.parameters(model),
        relative_error=found.relative_error,
        accuracy=found.metrics["accuracy"].after,
        cross_entropy=found.metrics["cross_entropy"].after,
        trained=trained,
    )


def say_stages(stages: Sequence[Stage], held_out: int, console: Console) -> None:
    """Print what each network is and does."""
    console.say(
        f"  Wider: {ADDED} units more in {LAYER}, each a copy that shares what reads it. Deeper: a convolution with\n"
        "  ReLU behind the pooling, the identity at first. The plain way: new units drawn at random.\n"
        f"  Outputs: the largest change on {held_out} held-out images, relative to the largest output.\n"
    )
    console.table(
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
    console.say("\n  Narrowed by the units that were added, every byte of the trained network is back.")


def _change(stage: Stage) -> str:
    if stage.trained:
        return "by training"
    return "0" if stage.relative_error == 0 else f"{stage.relative_error:.1e}"


def draw_stages(path: Path, stages: Sequence[Stage]) -> None:
    """Draw what became of the loss: as trained, mutated, and trained on."""
    first, *others = stages
    further = {stage.name.removesuffix(_FURTHER): stage.cross_entropy for stage in stages if stage.trained}
    ways = [Way("not mutated", (first.cross_entropy, first.cross_entropy, further[first.name]), "unchanged")]
    for stage in others:
        if not stage.trained:
            kind = "kept" if stage.relative_error <= _SAME else "changed"
            # What is the same in print is one level.
            loss = first.cross_entropy if kind == "kept" else stage.cross_entropy
            ways.append(Way(stage.name, (first.cross_entropy, loss, further.get(stage.name)), kind))
    draw_growth(path, ways)


def regrow(folder: Folder, framework: Framework, grown: Any, console: Console) -> str:
    """Save the grown network, make it again in a fresh process, and return what fingerprint that has found.

    Raises:
        FingerprintError: It is another one.
    """
    gw.save(grown, folder.grown, overwrite=True)
    gw.recipe(grown).save(folder.grown_recipe, overwrite=True)
    with console.working("Replaying in a fresh process"):
        base = base_words(folder.original, framework)
        found = replay_in_a_fresh_process(folder.grown_recipe, base, folder.grown, folder.grown_replayed)
    if found != gw.fingerprint(grown):
        raise gw.FingerprintError(f"The replay gave {found}, the grown network is {gw.fingerprint(grown)}.")
    size = folder.grown_recipe.stat().st_size
    console.say(f"  A fresh process grew the trained network again from the recipe of {size:,} bytes.")
    console.say(f"  grown      {gw.fingerprint(grown)}\n  replayed   {found}")
    return found
