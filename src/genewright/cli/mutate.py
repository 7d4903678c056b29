"""genewright mutate OPERATOR MODEL --seed SEED --out FILE."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from genewright.cli.arguments import Force, Json, Out, refuse_output
from genewright.cli.donors import open_donors
from genewright.cli.example import open_with_example
from genewright.cli.operator_group import OperatorGroup
from genewright.cli.output import Output
from genewright.files import save
from genewright.mutate import mutate, recipe
from genewright.operator import AnyOperator, Registered, changes_layers
from genewright.seeding import Seed

_RECIPE = typer.Option("--recipe", metavar="FILE", help="Also write the recipe alone, as JSON.", show_default=False)


class MutateGroup(OperatorGroup):
    """Writes a mutant, its recipe inside."""

    verb = "mutate"
    about = "Write a mutant of a model, with the recipe that makes it again inside. Name the operator, then the model."

    @classmethod
    def options(cls) -> list[inspect.Parameter]:
        keyword = inspect.Parameter.KEYWORD_ONLY
        return [
            inspect.Parameter("out", keyword, annotation=Out),
            inspect.Parameter("recipe", keyword, annotation=Annotated[Path | None, _RECIPE], default=None),
            inspect.Parameter("force", keyword, annotation=Force, default=False),
            inspect.Parameter("json", keyword, annotation=Json, default=False),
        ]

    @classmethod
    def perform(cls, operator: AnyOperator, seed: Seed, given: Mapping[str, Any]) -> None:
        output = Output(as_json=given["json"])
        out, recipe_file, force = given["out"], given["recipe"], given["force"]
        refuse_output(out, force=force)
        if recipe_file is not None:
            refuse_output(recipe_file, force=force, kinds=(".json",))
        with output.working("Reading"):
            model, example = open_with_example(
                given["model"], given["weights"], given["example"], whole=changes_layers(operator)
            )
            donors = open_donors(given["donors"])
        with output.working("Mutating"):
            mutant = mutate(model, operator, seed=seed, example=example, inplace=True, donors=donors)
        made = recipe(mutant)
        with output.working("Writing"):
            save(mutant, out, overwrite="force" if force else False)
        if recipe_file is not None:
            made.save(recipe_file, overwrite="force" if force else False)
        output.say(f"{out}  {type(operator).__name__}, seed {seed!r}")
        output.say(f"base      {made.base}\nmutant    {made.result}")
        if recipe_file is not None:
            output.say(f"recipe    {recipe_file}")
        output.document(
            {
                "out": str(out),
                "recipe_file": None if recipe_file is None else str(recipe_file),
                "base": made.base,
                "result": made.result,
                "recipe": made.to_form(),
            }
        )

    @classmethod
    def example_of(cls, operator: type[Registered]) -> str:
        return f"{super().example_of(operator)} --out mutant.safetensors --recipe mutant.json"
