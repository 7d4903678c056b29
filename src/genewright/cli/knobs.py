"""genewright knobs MODEL --example INPUT."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from genewright.cli.arguments import Json, Model, ModelArgs, Weights, missing_option, model_arguments
from genewright.cli.example import Example, cannot_run, open_with_example
from genewright.cli.factories import is_factory
from genewright.cli.output import Output
from genewright.errors import ExampleError, UnknownNameError
from genewright.knobs import knobs as widths_of
from genewright.names import did_you_mean, matches
from genewright.widths.knob import Knob

Layer = Annotated[
    str | None,
    typer.Option(
        "--layer",
        metavar="PATTERN",
        help="Only knobs of these names (* is any text, ? any one character); with all places.",
        show_default=False,
    ),
]


def knobs(
    ctx: typer.Context,
    model: Model,
    *,
    example: Example = None,
    weights: Weights = None,
    model_arg: ModelArgs = None,
    layer: Layer = None,
    as_json: Json = False,
) -> None:
    """Show the widths of a model that can change, with what changes with them; and why the others cannot."""
    output = Output(as_json=as_json)
    with output.working("Reading"):
        opened, sample = open_with_example(model, weights, example, model_arguments(model_arg), whole=True)
    try:
        with output.working("Running"):
            every = list(widths_of(opened, sample))
    except ExampleError as error:
        if not is_factory(model):
            raise cannot_run(model) from error
        raise missing_option(ctx, "--example", "the model has to run once", "1x3x224x224") from error
    found = [knob for knob in every if layer is None or matches(layer, knob.name)]
    if layer is not None and not found:
        raise UnknownNameError(f"No knob is called {layer!r}. {did_you_mean(layer, [knob.name for knob in every])}")
    if layer is None:
        output.table(
            ("knob", "units", "kind", "places", "can change"),
            ((k.name, str(k.size), k.kind, str(len(k.places)), _verdict(k)) for k in found),
            numbers=("units", "places"),
        )
        output.say("\nAll about some: genewright knobs ... --layer 'PATTERN'")
    else:
        output.say("\n".join(map(str, found)))
    output.document({"model": model, "knobs": [_form(knob) for knob in found]})


def _verdict(knob: Knob) -> str:
    return "yes" if knob.free else f"no: {knob.pins[0]}"


def _form(knob: Knob) -> dict[str, Any]:
    return {
        "name": knob.name,
        "units": knob.size,
        "kind": knob.kind,
        "free": knob.free,
        "hidden": knob.hidden,
        "pins": [str(reason) for reason in knob.pins],
        "mixes": [str(reason) for reason in knob.mixes],
        "norms": [list(norm) for norm in knob.norms],
        "attributes": list(knob.attributes),
        "layers": list(knob.layers),
        "places": [
            {"tensor": place.tensor, "axis": place.axis, "length": place.size, "roles": sorted(place.roles)}
            for place in knob.places
        ],
    }
