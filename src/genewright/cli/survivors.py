"""genewright survivors REPORT."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from genewright.cli.arguments import Force, Json, UsageError, refuse_output
from genewright.cli.output import Output
from genewright.distance import json_number
from genewright.mutation_testing.report import MutationReport
from genewright.mutation_testing.row import Row

Report = Annotated[
    Path,
    typer.Argument(
        metavar="REPORT", help="A .jsonl file that `genewright score --out` has written.", show_default=False
    ),
]
Number = Annotated[
    int | None,
    typer.Option("--recipe", metavar="NUMBER", help="Write the recipe of this mutant.", show_default=False),
]
Recipe = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Where to: a .json file.", show_default=False)
]
_COLUMNS = ("mutant", "operator", "site", "broken", "mended", "of", "p")


def survivors(
    report: Report, *, recipe: Number = None, out: Recipe = None, force: Force = False, as_json: Json = False
) -> None:
    """List the mutants that a test set did not tell from the original, or write the recipe of one.

    `genewright replay` makes the mutant again from its recipe and the original, and holds it to its fingerprint.
    """
    output = Output(as_json=as_json)
    if (recipe is None) != (out is None):
        raise UsageError("--recipe NUMBER and --out FILE go together: which mutant, and where its recipe is written.")
    if out is not None:
        refuse_output(out, force=force, kinds=(".json",))
    found = MutationReport.load(report)
    if recipe is not None and out is not None:
        found.recipe(recipe).save(out, overwrite="force" if force else False)
        output.say(f"wrote {out}; make the mutant again: genewright replay {out} MODEL --out mutant.safetensors")
    else:
        output.table(
            _COLUMNS,
            [_cells(row) for row in found.survivors()],
            numbers=("mutant", "broken", "mended", "of", "p"),
        )
        output.say(f"{len(found.survivors())} of {found.score().of} survived")
    output.document({"report": str(report), "out": None if out is None else str(out), "survivors": _forms(found)})


def _cells(row: Row) -> tuple[str, ...]:
    p = "" if row.adjusted is None else f"{row.adjusted:.2g}"
    return (str(row.number), row.label, row.site, str(row.broken), str(row.mended), str(row.samples), p)


def _forms(found: MutationReport) -> list[dict[str, Any]]:
    forms = [asdict(row) for row in found.survivors()]
    return [{name: _plain(value) for name, value in form.items() if name != "steps"} for form in forms]


def _plain(value: Any) -> Any:
    """Return a value as JSON holds it: a change where the original puts out zeros is infinite."""
    return json_number(value) if isinstance(value, float) else value
