"""genewright diff A B."""

from __future__ import annotations

from typing import Annotated

import typer

from genewright.cli.arguments import Json
from genewright.cli.models import draws_weights, open_model
from genewright.cli.output import Output
from genewright.difference import TensorDifference, difference

_HELP = "A .safetensors, .pt, .pth, .bin, .ckpt, .keras or .h5 file, or package.module:factory."
First = Annotated[str, typer.Argument(metavar="A", help=_HELP)]
Second = Annotated[str, typer.Argument(metavar="B", help=_HELP)]
All = Annotated[bool, typer.Option("--all", help="List the tensors that are equal too.")]


def diff(a: First, b: Second, *, every: All = False, as_json: Json = False) -> None:
    """Compare two models tensor by tensor, to the bit: elements changed, largest and mean change.

    Exits with 0 where every byte of every tensor agrees, and with 1 where not. Metadata, such as a recipe, does not
    count.
    """
    output = Output(as_json=as_json)
    with output.working("Reading"):
        first, second = open_model(a), open_model(b)
        drawn = [word for word, opened in ((a, first), (b, second)) if draws_weights(word, opened, None)]
    with output.working("Comparing"):
        found = difference(first, second)
    differing = [tensor for tensor in found.tensors if tensor.status != "equal"]
    listed = found.tensors if every else differing
    if listed:
        output.table(
            ("tensor", "form", "status", "elements changed", "largest change", "mean change"),
            map(_row, listed),
            numbers=("elements changed", "largest change", "mean change"),
        )
        output.say()
    equal = len(found.tensors) - len(differing)
    if found.equal:
        output.say(f"Every byte of {len(found.tensors)} tensors agrees: {found.first}")
    else:
        output.say(f"{len(differing)} tensors differ, {equal} are equal\nA  {found.first}\nB  {found.second}")
        for word in drawn:
            output.say(f"   of this draw: {word} draws other weights each time")
        before, after = found.cost
        output.say(f"   {before.to(after)}" if before != after else f"   {before}")
    output.document(found.to_json())
    if not found.equal:
        raise typer.Exit(1)


def _row(tensor: TensorDifference) -> tuple[str, ...]:
    size = 1
    for length in tensor.shape:
        size *= length
    changed = f"{tensor.changed:,} of {size:,}" if tensor.status in ("equal", "changed") else ""
    numbers = ("" if value is None else f"{value:.4g}" for value in (tensor.largest, tensor.mean))
    return tensor.name, tensor.form, tensor.status, changed, *numbers
