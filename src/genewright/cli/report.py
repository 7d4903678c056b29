"""genewright report STORE."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from genewright.cli.arguments import Force, Json, Weights, refuse_output
from genewright.cli.example import Example, open_with_example
from genewright.cli.output import Output
from genewright.cli.resume import Store
from genewright.cli.run_file import RunFile
from genewright.evolution.stores.opening import store_to_read
from genewright.evolution.trained_weights import TrainedWeights
from genewright.report.evolution.page import write_report

Page = Annotated[Path, typer.Option("--out", metavar="FILE", help="The page to write, as .html.")]
Base = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="MODEL",
        help="What the run started from, where it was begun in Python: for what the page says of layers and weights.",
        show_default=False,
    ),
]


def report(
    store: Store,
    *,
    out: Page = Path("report.html"),
    model: Base = None,
    weights: Weights = None,
    example: Example = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write one HTML page on a run, which may be going on: fitness, the champion's descent, mutations, layers, weights.

    The model of a run that `genewright evolve` began is read again by its name: call it in the folder of that run.
    """
    output = Output(as_json=as_json)
    refuse_output(out, force=force, kinds=(".html",))
    with store_to_read(store) as kept:
        about = kept.about()
        notes: Any = about.get("notes")
        trained = None
        with output.working("Reading"):
            base, sample = None, None
            if model is not None:
                base, sample = open_with_example(model, weights, example, whole=True)
            elif isinstance(notes, dict) and "model" in notes:
                base, sample = RunFile.of(cast("dict[str, Any]", notes), store).model()
            if about["train"] is not None and base is not None:
                trained = TrainedWeights.of(_folder(notes), store)
        with output.working("Writing"):
            write_report(out, kept, base=base, example=sample, trained=trained, overwrite="force" if force else False)
    output.say(f"wrote {out}" + ("" if base is not None else "; without --model it has nothing on layers and weights"))
    output.document({"store": store, "out": str(out), "model": base is not None})


def _folder(notes: Any) -> str | None:
    """Return the folder of trained weights that the file of the run names."""
    train: Any = notes.get("train") if isinstance(notes, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return train.get("folder") if isinstance(train, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
