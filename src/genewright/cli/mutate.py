"""genewright mutate OPERATOR MODEL --seed SEED --out FILE."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from genewright.cli.arguments import Force, Json, Out, model_arguments, refuse_output
from genewright.cli.donors import open_donors
from genewright.cli.example import open_with_example
from genewright.cli.factories import comes_as_folder
from genewright.cli.models import refuse_drawn
from genewright.cli.mutant_of_report import FROM, asks_for_report, command_of_report
from genewright.cli.operator_group import OperatorGroup
from genewright.cli.output import Output
from genewright.files import save
from genewright.mutate import mutate, recipe
from genewright.operator import AnyOperator, Registered, changes_layers
from genewright.seeding import Seed

_RECIPE = typer.Option("--recipe", metavar="FILE", help="Also write the recipe alone, as JSON.", show_default=False)
SaveBase = Annotated[
    Path | None,
    typer.Option(
        "--save-base",
        metavar="FILE",
        help="Also write the base: for a factory that draws its weights, which nobody could make again.",
        show_default=False,
    ),
]


class MutateGroup(OperatorGroup):
    """Writes a mutant, its recipe inside."""

    verb = "mutate"
    about = (
        "Write a mutant of a model, with the recipe that makes it again inside. Name the operator, then the model; or "
        "--from REPORT.jsonl#NUMBER in the operator's place, for a mutant of a report of `genewright score`."
    )

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the operator's command; ``--from`` in its place names a mutant of a report."""
        if asks_for_report(args) and args[0].startswith("-"):
            return FROM, command_of_report(), args
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Leave ``--from`` and what follows to the command that knows it."""
        if args and args[0].startswith(FROM) and asks_for_report(args):
            return super().parse_args(ctx, ["--", *args])
        return super().parse_args(ctx, args)

    @classmethod
    def options(cls) -> list[inspect.Parameter]:
        keyword = inspect.Parameter.KEYWORD_ONLY
        return [
            inspect.Parameter("out", keyword, annotation=Out),
            inspect.Parameter("recipe", keyword, annotation=Annotated[Path | None, _RECIPE], default=None),
            inspect.Parameter("save_base", keyword, annotation=SaveBase, default=None),
            inspect.Parameter("force", keyword, annotation=Force, default=False),
            inspect.Parameter("json", keyword, annotation=Json, default=False),
        ]

    @classmethod
    def perform(cls, operator: AnyOperator, seed: Seed, given: Mapping[str, Any]) -> None:
        output = Output(as_json=given["json"])
        out, recipe_file, force = given["out"], given["recipe"], given["force"]
        refuse_output(out, force=force, folder=comes_as_folder(given["model"]))
        if recipe_file is not None:
            refuse_output(recipe_file, force=force, kinds=(".json",))
        base_file = given["save_base"]
        if base_file is not None:
            refuse_output(base_file, force=force)
        arguments = model_arguments(given["model_arg"])
        with output.working("Reading"):
            model, example = open_with_example(
                given["model"], given["weights"], given["example"], arguments, whole=changes_layers(operator)
            )
            donors = open_donors(given["donors"])
            if base_file is None:
                saved = f"or write this base beside {out}, too: --save-base base.safetensors"
                refuse_drawn(given["model"], given["weights"], model, arguments, f"--weights FILE; {saved}")
            else:
                save(model, base_file, overwrite="force" if force else False)
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
        if base_file is not None:
            output.say(f"base file {base_file}")
        output.document(
            {
                "out": str(out),
                "base_file": None if base_file is None else str(base_file),
                "recipe_file": None if recipe_file is None else str(recipe_file),
                "base": made.base,
                "result": made.result,
                "recipe": made.to_form(),
            }
        )

    @classmethod
    def example_of(cls, operator: type[Registered]) -> str:
        return f"{super().example_of(operator)} --out mutant.safetensors --recipe mutant.json"
