"""genewright replay RECIPE BASE --out FILE."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genewright.cli.models import open_model
from genewright.cli.options import Force, Json, Model, Out, Weights
from genewright.cli.output import Output
from genewright.cli.written import refuse_output
from genewright.files import read_recipe, save
from genewright.mutate import replay as replayed
from genewright.operator import changes_layers

Recipe = Annotated[
    Path, typer.Argument(metavar="RECIPE", help="A recipe's .json file, or a mutant's file that holds one.")
]


def replay(
    recipe: Recipe,
    base: Model,
    *,
    out: Out,
    weights: Weights = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Make a mutant again from its recipe and its base, byte for byte.

    The base must be the network that the recipe names by its fingerprint, and so must the result; else nothing is
    written.
    """
    output = Output(as_json=as_json)
    refuse_output(out, force=force)
    with output.working("Reading"):
        read = read_recipe(recipe)
        model = open_model(base, weights, whole=any(changes_layers(step.operator) for step in read.steps))
    with output.working("Replaying"):
        mutant = replayed(read, model, inplace=True)
    with output.working("Writing"):
        save(mutant, out, overwrite=force)
    steps = len(read.steps)
    output.say(f"{out}  replayed in {steps} step{'s' if steps != 1 else ''}")
    output.say(f"Every byte agrees with the recipe's result: {read.result}")
    output.document({"out": str(out), "base": read.base, "result": read.result, "steps": steps, "agrees": True})
