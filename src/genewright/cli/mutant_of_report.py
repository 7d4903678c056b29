"""genewright mutate --from REPORT#NUMBER MODEL --out FILE."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from genewright.cli.arguments import Force, Json, Model, ModelArgs, Out, UsageError, Weights, example
from genewright.cli.example import Example
from genewright.cli.flags import Command
from genewright.cli.output import Output
from genewright.cli.replay import replay_into
from genewright.mutation_testing.report import MutationReport
from genewright.recipe import Recipe

FROM = "--from"
_Place = Annotated[
    str,
    typer.Option(
        FROM,
        metavar="REPORT#NUMBER",
        help="A report of `genewright score --out`, and the number of one of its mutants: report.jsonl#17.",
        show_default=False,
    ),
]


def mutant_of_report(
    ctx: typer.Context,
    model: Model,
    *,
    place: _Place,
    out: Out,
    weights: Weights = None,
    model_arg: ModelArgs = None,
    sample: Example = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write a mutant of a report of mutation testing; its fingerprint is held to the report's.

    The model must be the one that the report is about.
    """
    report, number = _read(place)
    replay_into(
        ctx, lambda: _recipe(report, number), model, out, Output(as_json=as_json), weights=weights,
        model_arg=model_arg, example=sample, donors=None, force=force,
    )  # fmt: skip


def asks_for_report(words: list[str]) -> bool:
    """Whether the words behind ``genewright mutate`` name a mutant of a report.

    >>> asks_for_report(["--from", "report.jsonl#17", "net.pt"]), asks_for_report(["zero", "net.pt"])
    (True, False)
    """
    return any(word == FROM or word.startswith(f"{FROM}=") for word in words)


def command_of_report() -> Any:
    """Return the command."""
    single = typer.Typer(add_completion=False, rich_markup_mode="markdown")
    text = "genewright mutate --from report.jsonl#17 net.safetensors --out mutant.safetensors"
    single.command(cls=Command, name=FROM, epilog=example(text))(mutant_of_report)
    return typer.main.get_command(single)


def _read(place: str) -> tuple[Path, int]:
    report, mark, number = place.rpartition("#")
    if not (mark and report and number.isascii() and number.isdigit()):
        raise UsageError(f"{FROM} {place}: write REPORT#NUMBER, as in {FROM} report.jsonl#17.")
    return Path(report), int(number)


def _recipe(report: Path, number: int) -> Recipe:
    return MutationReport.load(report).recipe(number)
