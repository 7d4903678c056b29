"""genewright show MODEL."""

from __future__ import annotations

from typing import Any

from genewright.backends import backend_of
from genewright.cli.arguments import Json, Model, ModelArgs, Weights, model_arguments
from genewright.cli.models import draws_weights, open_model
from genewright.cli.output import Output
from genewright.fingerprint import fingerprint_of
from genewright.recipe import Recipe
from genewright.summary import TensorSummary, summarize


def show(model: Model, *, weights: Weights = None, model_arg: ModelArgs = None, as_json: Json = False) -> None:
    """Show a model's tensors: name, role, shape, range, mean, spread and histogram; its fingerprint and its recipe."""
    output = Output(as_json=as_json)
    with output.working("Reading"):
        opened = open_model(model, weights, model_arguments(model_arg))
    backend = backend_of(opened)
    network = backend.network(opened)
    names = list(network.tensors)
    summaries = [summarize(network, name) for name in output.track(names, "Looking", len(names))]
    fingerprint = fingerprint_of(network)
    history = backend.history(opened)
    recipe = Recipe.of(history) if history else None
    output.table(
        ("tensor", "role", "dtype", "shape", "min", "mean", "max", "std", "histogram"),
        map(_row, summaries),
        numbers=("min", "mean", "max", "std"),
    )
    trainable = sum(s.tensor.size for s in summaries if s.tensor.trainable)
    output.say(f"\n{len(summaries)} tensors, {sum(s.tensor.size for s in summaries):,} values, {trainable:,} trainable")
    for summary in summaries:
        if summary.nonfinite:
            output.say(f"{summary.tensor.name}: {summary.nonfinite:,} values are NaN or infinite", style="bold red")
        if summary.tensor.aliases:
            output.say(f"{summary.tensor.name} is tied to {', '.join(summary.tensor.aliases)}")
    drawn = weights is None and draws_weights(model, opened, model_arguments(model_arg))
    output.say(f"fingerprint  {fingerprint}" + (" of this draw: the factory draws anew each time" if drawn else ""))
    for line in _recipe_lines(recipe, fingerprint):
        output.say(line)
    output.document(
        {
            "model": model,
            "fingerprint": fingerprint,
            "tensors": [summary.to_json() for summary in summaries],
            "recipe": None if recipe is None else recipe.to_form(),
        }
    )


def _row(summary: TensorSummary) -> tuple[str, ...]:
    tensor = summary.tensor
    numbers = (summary.least, summary.mean, summary.largest, summary.std)
    cells = (f"{number:.3g}" if summary.histogram else "" for number in numbers)
    shape = "x".join(map(str, tensor.shape)) or "scalar"
    return tensor.name, tensor.role, tensor.dtype, shape, *cells, summary.sparkline()


def _recipe_lines(recipe: Recipe | None, fingerprint: str) -> list[str]:
    if recipe is None:
        return ["recipe       none: not a mutant, or not written by genewright"]
    lines = [f"recipe       from base {recipe.base}"]
    for step in recipe.steps:
        settings = ", ".join(f"{name}={_short(value)}" for name, value in step.operator.settings().items())
        lines.append(f"             {type(step.operator).__name__}({settings}), seed {step.seed!r}")
    if recipe.steps[0].trained_from is not None:
        first = recipe.all_steps()[0].parents[0]
        lines.append(f"             the base was made from {first}, then changed by other means")
    if recipe.result != fingerprint:
        lines.append(f"             made {recipe.result}, which has been changed by other means since: trained, say")
    return lines


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
