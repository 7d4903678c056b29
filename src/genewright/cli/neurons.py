"""genewright neurons MODEL DATA."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from genewright.batches import batches
from genewright.cli.arguments import (
    DATA,
    BatchSize,
    Force,
    Json,
    Model,
    ModelArgs,
    UsageError,
    Weights,
    model_arguments,
    refuse_output,
)
from genewright.cli.data import open_data
from genewright.cli.models import open_module
from genewright.cli.output import Output
from genewright.neurons import DEFAULT, NeuronTable
from genewright.neurons import measure as measured
from genewright.storage import write_atomically

Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help=DATA,
        show_default=False,
    ),
]
Measures = Annotated[
    list[str] | None,
    typer.Option(
        "--measure",
        metavar="NAME",
        help=f"A measure, such as dormancy or taylor; may be repeated. Default: {', '.join(DEFAULT)}.",
        show_default=False,
    ),
]
Layers = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="PATTERN",
        help="Only layers of these names or classes (* is any text, !PATTERN leaves out); may be repeated.",
        show_default=False,
    ),
]
Filter = Annotated[
    str | None,
    typer.Option(
        "--filter",
        metavar="CONDITION",
        help="Only units that meet it: \"active_fraction < 0.01 & layer.str.startswith('layer3')\".",
        show_default=False,
    ),
]
By = Annotated[
    str | None,
    typer.Option(
        "--by", metavar="COLUMN", help="Sort by this column, smallest first, and draw it.", show_default=False
    ),
]
Loss = Annotated[
    str | None,
    typer.Option("--loss", help="cross_entropy or mse, for measures that read gradients.", show_default=False),
]
Seed = Annotated[
    int | None, typer.Option("--seed", help="For measures that keep some of the data: which.", show_default=False)
]
Picture = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE", help="Write the picture: a .svg file.", show_default=False),
]


def neurons(
    model: Model,
    data: Data,
    *,
    weights: Weights = None,
    model_arg: ModelArgs = None,
    measure: Measures = None,
    where: Layers = None,
    condition: Filter = None,
    by: By = None,
    loss: Loss = None,
    seed: Seed = None,
    batch_size: BatchSize = 256,
    out: Picture = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Measure every unit of a model on data: how active it is, how much it matters; filter, and draw."""
    output = Output(as_json=as_json)
    if out is not None:
        refuse_output(out, force=force, kinds=(".svg",))
    with output.working("Reading"):
        samples = open_data(data)
        opened = open_module(model, None, weights, "--weights", model_arguments(model_arg))
    parts = list(batches(samples, batch_size=batch_size))
    table = measured(
        opened,
        output.track(parts, "Measuring", len(parts)),
        layers=tuple(where) if where else None,
        measures=tuple(measure) if measure else DEFAULT,
        loss=loss,
        seed=seed,
    )
    chosen = table if condition is None else table.filter(condition)
    if by is not None:
        if by not in table.measures:
            raise UsageError(f"--by is a measured column: {', '.join(table.measures)}; received {by!r}.")
        chosen = chosen.top(len(chosen), by=by, largest=False)
    output.say(str(chosen))
    if out is not None:
        picture = chosen.heat_map(by)
        write_atomically(out, [picture.encode()], overwrite="force" if force else False)
        output.say(f"wrote {out}")
    output.document({"model": model, **_form(chosen)})


def _form(table: NeuronTable) -> dict[str, Any]:
    return {
        "samples": table.samples,
        "layers": [
            {"name": layer.name, "kind": layer.kind, "units": layer.units, "seen": layer.seen} for layer in table.layers
        ],
        "units": [{name: _plain(value) for name, value in row.items()} for row in table.rows()],
        "notes": list(table.notes),
    }


def _plain(value: Any) -> Any:
    """Return a value as JSON holds it: NaN is not known, hence null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
