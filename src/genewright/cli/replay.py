"""genewright replay RECIPE BASE --out FILE."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from genewright.cli.arguments import (
    Force,
    Json,
    Model,
    ModelArgs,
    Out,
    Weights,
    missing_option,
    model_arguments,
    refuse_output,
)
from genewright.cli.donors import Parents
from genewright.cli.example import Example, cannot_run, open_with_example
from genewright.cli.factories import comes_as_folder, is_factory
from genewright.cli.models import open_model
from genewright.cli.output import Output
from genewright.errors import ExampleError
from genewright.files import read_recipe, save
from genewright.mutate import replay as replayed
from genewright.operator import changes_layers
from genewright.recipe import Recipe

RecipeFile = Annotated[
    Path, typer.Argument(metavar="RECIPE", help="A recipe's .json file, or a mutant's file that holds one.")
]


def replay(
    ctx: typer.Context,
    recipe: RecipeFile,
    base: Model,
    *,
    out: Out,
    weights: Weights = None,
    model_arg: ModelArgs = None,
    example: Example = None,
    donors: Parents = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Make a mutant again from its recipe and its base, byte for byte.

    The base must be the network that the recipe names by its fingerprint, and so must the result; else nothing is
    written.
    """
    replay_into(
        ctx, lambda: read_recipe(recipe), base, out, Output(as_json=as_json), weights=weights,
        model_arg=model_arg, example=example, donors=donors, force=force,
    )  # fmt: skip


def replay_into(
    ctx: typer.Context,
    reading: Callable[[], Recipe],
    base: str,
    out: Path,
    output: Output,
    *,
    weights: Path | None,
    model_arg: list[str] | None,
    example: list[str] | None,
    donors: list[str] | None,
    force: bool,
) -> None:
    """Make a mutant again and write it, or say why that cannot be; the arguments are those of the command."""
    refuse_output(out, force=force, folder=comes_as_folder(base))
    with output.working("Reading"):
        read = reading()
        changed = any(changes_layers(step.operator) for step in read.steps)
        model, sample = open_with_example(base, weights, example, model_arguments(model_arg), whole=changed)
        parents = [open_model(word) for word in donors or ()]
    try:
        with output.working("Replaying"):
            mutant = replayed(read, model, example=sample, donors=parents, inplace=True)
    except ExampleError as error:
        if not is_factory(base):
            raise cannot_run(base) from error
        raise missing_option(ctx, "--example", "a step has to see the model run once", "1x3x224x224") from error
    with output.working("Writing"):
        save(mutant, out, overwrite="force" if force else False)
    steps = len(read.steps)
    output.say(f"{out}  replayed in {steps} step{'s' if steps != 1 else ''}")
    output.say(f"Every byte agrees with the recipe's result: {read.result}")
    output.document({"out": str(out), "base": read.base, "result": read.result, "steps": steps, "agrees": True})
