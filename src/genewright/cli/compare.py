"""genewright compare ORIGINAL MUTANT --data FILE."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genewright.batches import batches
from genewright.cli.arguments import DATA, BatchSize, Json, ModelArgs, UsageError, model_arguments
from genewright.cli.data import open_data
from genewright.cli.models import open_module
from genewright.cli.output import Output
from genewright.compare import compare as compared
from genewright.errors import SettingError
from genewright.metrics import chosen

_HELP = "A weights file (with --model), or package.module:factory."
Original = Annotated[str, typer.Argument(metavar="ORIGINAL", help=_HELP)]
Mutant = Annotated[str, typer.Argument(metavar="MUTANT", help=_HELP)]
Data = Annotated[
    Path,
    typer.Option(
        "--data",
        metavar="FILE",
        help=DATA,
        show_default=False,
    ),
]
Factory = Annotated[
    str | None,
    typer.Option("--model", metavar="FACTORY", help="What weights files belong to: package.module:factory."),
]
OriginalWeights = Annotated[
    Path | None, typer.Option("--original-weights", metavar="FILE", help="Weights, where ORIGINAL is a factory.")
]
MutantWeights = Annotated[
    Path | None, typer.Option("--mutant-weights", metavar="FILE", help="Weights, where MUTANT is a factory.")
]
Metric = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        metavar="NAME",
        help="accuracy, cross_entropy, mse or mae; may be repeated. Default: accuracy, where the targets are classes.",
        show_default=False,
    ),
]
Tolerance = Annotated[
    float | None,
    typer.Option("--tolerance", help="Largest relative error of the outputs that is ok.", show_default=False),
]
MaxDrop = Annotated[
    list[str] | None,
    typer.Option(
        "--max-drop",
        metavar="METRIC=NUMBER",
        help="By how much a metric may be worse, such as accuracy=0.01; may be repeated.",
        show_default=False,
    ),
]


def compare(
    original: Original,
    mutant: Mutant,
    *,
    data: Data,
    model: Factory = None,
    original_weights: OriginalWeights = None,
    mutant_weights: MutantWeights = None,
    model_arg: ModelArgs = None,
    metric: Metric = None,
    tolerance: Tolerance = None,
    max_drop: MaxDrop = None,
    batch_size: BatchSize = 256,
    as_json: Json = False,
) -> None:
    """Run a mutant and its original on the same data: change of the outputs, agreement, metrics before and after.

    Exits with 1 where the relative error is above --tolerance, a metric is worse by more than --max-drop, or an output
    became NaN or infinite.
    """
    output = Output(as_json=as_json)
    limit = float("inf") if tolerance is None else tolerance
    if not limit >= 0:
        raise UsageError(f"--tolerance must be a number of at least 0; received {tolerance}.")
    drops = _drops(max_drop or [])
    metrics = tuple(metric) if metric else None
    try:
        chosen(metrics)
    except SettingError as error:
        raise UsageError(str(error)) from error
    arguments = model_arguments(model_arg)
    with output.working("Reading"):
        samples = open_data(data)
        first = open_module(original, model, original_weights, "--original-weights", arguments)
        second = open_module(mutant, model, mutant_weights, "--mutant-weights", arguments)
    parts = list(batches(samples, batch_size=batch_size))
    found = compared(first, second, output.track(parts, "Comparing", len(parts)), metrics=metrics)
    try:
        ok = found.ok(limit, **drops)
    except SettingError as error:
        raise UsageError(f"--max-drop: {error}") from error
    output.say(str(found))
    if tolerance is not None:
        output.say(f"{'ok' if ok else 'NOT ok'}: relative error {found.relative_error:.4g}, tolerance {tolerance:g}")
    elif found.new_nonfinite:
        output.say("NOT ok: outputs became NaN or infinite")
    for name, most in drops.items():
        near = found.new_nonfinite == 0 and found.ok(**{name: most})
        output.say(f"{'ok' if near else 'NOT ok'}: {name.removesuffix('_drop')} may be worse by {most:g}")
    output.document({**found.to_json(), "tolerance": tolerance, "max_drop": drops, "ok": ok})
    if not ok:
        raise typer.Exit(1)


def _drops(given: list[str]) -> dict[str, float]:
    """Read METRIC=NUMBER entries, as arguments of `Comparison.ok`."""
    found: dict[str, float] = {}
    for entry in given:
        name, _, number = entry.partition("=")
        try:
            found[f"{name.strip()}_drop"] = float(number)
        except ValueError:
            raise UsageError(f"--max-drop is METRIC=NUMBER, such as accuracy=0.01; received {entry!r}.") from None
    return found
