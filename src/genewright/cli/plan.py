"""genewright plan OPERATOR MODEL --seed SEED."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from genewright.cli.arguments import Json, model_arguments
from genewright.cli.donors import open_donors
from genewright.cli.example import open_with_example
from genewright.cli.models import draws_weights
from genewright.cli.operator_group import OperatorGroup
from genewright.cli.output import Output
from genewright.mutate import plan
from genewright.operator import AnyOperator, changes_layers
from genewright.seeding import Seed

Summary = Annotated[bool, typer.Option("--summary", help="At most 30 lines: some tensors, the sums and the cost.")]


class PlanGroup(OperatorGroup):
    """Prints what a mutation would change."""

    verb = "plan"
    about = "Print what a mutation would change, tensor by tensor, and change nothing. Same words as `mutate`."

    @classmethod
    def options(cls) -> list[inspect.Parameter]:
        keyword = inspect.Parameter.KEYWORD_ONLY
        return [
            inspect.Parameter("summary", keyword, annotation=Summary, default=False),
            inspect.Parameter("json", keyword, annotation=Json, default=False),
        ]

    @classmethod
    def perform(cls, operator: AnyOperator, seed: Seed, given: Mapping[str, Any]) -> None:
        output = Output(as_json=given["json"])
        arguments = model_arguments(given["model_arg"])
        with output.working("Reading"):
            model, example = open_with_example(
                given["model"], given["weights"], given["example"], arguments, whole=changes_layers(operator)
            )
            donors = open_donors(given["donors"])
        with output.working("Planning"):
            planned = plan(model, operator, seed=seed, example=example, donors=donors)
        if given["weights"] is None and draws_weights(given["model"], model, arguments):
            output.say(f"{given['model']} draws other weights each time: a plan of this draw.")
        output.say(str(planned) if given["summary"] else planned.details())
        output.document(planned.to_json())
