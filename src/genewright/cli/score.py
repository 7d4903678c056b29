"""genewright score MODEL DATA."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from genewright.cli.arguments import (
    Force,
    Json,
    Model,
    ModelArgs,
    UsageError,
    Weights,
    missing_option,
    model_arguments,
    refuse_output,
)
from genewright.cli.data import open_data
from genewright.cli.models import open_module
from genewright.cli.output import Output
from genewright.evolution.executors.processes import Processes
from genewright.mutation_testing.criteria.criterion import criteria
from genewright.mutation_testing.mutation_score import mutation_score
from genewright.mutation_testing.report import MutationReport

REPORTS = (".jsonl", ".html")

Data = Annotated[
    Path,
    typer.Argument(metavar="DATA", help="The test set: .npz with arrays X and y.", show_default=False),
]
Seed = Annotated[int | None, typer.Option("--seed", help="The seed of the mutants.", show_default=False)]
Count = Annotated[int, typer.Option("--count", min=1, help="How many mutants.")]
CriterionName = Annotated[
    str | None,
    typer.Option(
        "--criterion",
        metavar="NAME",
        help=f"When a mutant is killed: {', '.join(criteria())}. Default: mcnemar, where the targets are classes.",
        show_default=False,
    ),
]
Alpha = Annotated[float, typer.Option("--alpha", help="Level of the test, after correction for the number of mutants.")]
Train = Annotated[
    Path | None,
    typer.Option(
        "--train",
        metavar="FILE",
        help="Training data: mutants that survive there too are counted apart.",
        show_default=False,
    ),
]
Store = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="FOLDER",
        help="Keeps every row: the same command goes on where it was cut off, and a larger --count extends it.",
        show_default=False,
    ),
]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Processes; the report is the same for any number.")]
BatchSize = Annotated[int | None, typer.Option("--batch-size", min=1, help="Samples a batch.", show_default=False)]
Report = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", metavar="FILE", help="Write the report: a .jsonl file, or a .html page.", show_default=False
    ),
]


def score(
    context: typer.Context,
    model: Model,
    data: Data,
    *,
    weights: Weights = None,
    model_arg: ModelArgs = None,
    seed: Seed = None,
    count: Count = 200,
    criterion: CriterionName = None,
    alpha: Alpha = 0.05,
    train: Train = None,
    store: Store = None,
    workers: Workers = 1,
    batch_size: BatchSize = None,
    out: Report = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Say how good a test set is: how many mutants of a model it tells from the original."""
    output = Output(as_json=as_json)
    if seed is None:
        raise missing_option(context, "--seed", "mutants are drawn, and the same seed gives the same ones", "1")
    if criterion is not None and criterion not in criteria():
        raise UsageError(f"--criterion is one of {', '.join(criteria())}; received {criterion!r}.")
    if out is not None:
        refuse_output(out, force=force, kinds=REPORTS)
    with output.working("Reading"):
        samples = open_data(data)
        training = None if train is None else open_data(train)
        opened = open_module(model, None, weights, "--weights", model_arguments(model_arg))
    report = mutation_score(
        opened,
        samples,
        seed=seed,
        count=count,
        criterion=criterion,
        alpha=alpha,
        train=training,
        store=store,
        executor=None if workers == 1 else Processes(workers),
        batch_size=batch_size,
        progress=False if as_json else None,
    )
    output.say(str(report))
    if out is not None:
        report.save(out, overwrite="force" if force else False)
        output.say(f"wrote {out}")
    output.document({"model": model, "out": None if out is None else str(out), **summary_of(report)})


def summary_of(report: MutationReport) -> dict[str, Any]:
    """Return what a report says of all mutants, as JSON holds it."""
    return {
        "criterion": report.criterion.to_json(),
        "alpha": report.alpha,
        "score": {**asdict(report.score()), "share": report.score().share},
        "outcomes": {str(outcome): number for outcome, number in report.outcomes().items()},
        "survivors": [row.number for row in report.survivors()],
        "smallest_drop": report.smallest_drop(),
        "notes": list(report.notes),
    }
