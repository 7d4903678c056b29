"""genewright faults MODEL DATA."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from genewright.cli.arguments import Force, Json, Model, UsageError, Weights, missing_option, refuse_output
from genewright.cli.data import open_data
from genewright.cli.models import open_module
from genewright.cli.output import Output
from genewright.evolution.executors.processes import Processes
from genewright.mutation_testing.fault_rate import fault_rate
from genewright.mutation_testing.fault_report import GROUPS, FaultRate, Group
from genewright.operators.weights.bit_flip import BitFlip
from genewright.operators.weights.elementwise import Elementwise
from genewright.operators.weights.sign_flip import SignFlip
from genewright.operators.weights.stuck_at import StuckAt
from genewright.operators.weights.zero import Zero
from genewright.where import where

_ON_BITS = ("bit-flip", "stuck-at-0", "stuck-at-1")
FAULTS = (*_ON_BITS, "sign-flip", "zero")

Data = Annotated[
    Path, typer.Argument(metavar="DATA", help="Samples: .npz with arrays X and y, or X alone.", show_default=False)
]
Fault = Annotated[str, typer.Option("--fault", metavar="NAME", help=f"What one fault is: {', '.join(FAULTS)}.")]
Bits = Annotated[
    list[str] | None,
    typer.Option(
        "--bits",
        metavar="BIT",
        help="sign, exponent, mantissa, or a position (0 is the lowest). May be repeated. Default: any bit.",
        show_default=False,
    ),
]
Patterns = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="PATTERN",
        help="A pattern on tensor or layer names (* is any text); '!...' excludes. May be repeated. Default: all "
        "trainable.",
        show_default=False,
    ),
]
Margin = Annotated[float, typer.Option("--margin", help="Half the width of the interval at which the run ends.")]
Confidence = Annotated[float, typer.Option("--confidence", help="That the interval holds the rate of all faults.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Which faults are drawn.", show_default=False)]
By = Annotated[
    str,
    typer.Option("--by", metavar="GROUPS", help=f"Tables, with commas between them: {', '.join(GROUPS)}."),
]
Store = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="FOLDER",
        help="Keeps every fault: the same command goes on where it was cut off, and a smaller --margin extends it.",
        show_default=False,
    ),
]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Processes; the rate is the same for any number.")]
BatchSize = Annotated[int | None, typer.Option("--batch-size", min=1, help="Samples a batch.", show_default=False)]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write the rate and all faults: a .json file.", show_default=False),
]


def faults(
    context: typer.Context,
    model: Model,
    data: Data,
    *,
    weights: Weights = None,
    fault: Fault = "bit-flip",
    bits: Bits = None,
    patterns: Patterns = None,
    margin: Margin = 0.01,
    confidence: Confidence = 0.99,
    seed: Seed = None,
    by: By = "layer",
    store: Store = None,
    workers: Workers = 1,
    batch_size: BatchSize = None,
    out: Out = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Say which share of all single faults in a model's weights does harm on data, to within a margin.

    Each fault is injected alone, run on all data and taken back; those that are drawn are different ones. A fault fails
    if a prediction changes, an output becomes NaN or infinite, or the model raises.
    """
    output = Output(as_json=as_json)
    if seed is None:
        raise missing_option(context, "--seed", "faults are drawn, and the same seed gives the same ones", "1")
    groups = [group.strip() for group in by.split(",") if group.strip()]
    if not set(groups) <= set(GROUPS):
        raise UsageError(f"--by has groups of {', '.join(GROUPS)}, with commas between them; received {by!r}.")
    if out is not None:
        refuse_output(out, force=force, kinds=(".json",))
    operator = _operator(fault, bits, patterns)
    if fault not in _ON_BITS and {"bit", "field"} & set(groups):
        raise UsageError(f"--by {by}: {fault} does not act on single bits. Take --by layer,tensor.")
    with output.working("Reading"):
        samples = open_data(data)
        opened = open_module(model, None, weights, "--weights")
    rate = fault_rate(
        opened,
        samples,
        operator,
        seed=seed,
        margin=margin,
        confidence=confidence,
        batch_size=batch_size,
        store=store,
        executor=None if workers == 1 else Processes(workers),
        progress=False if as_json else None,
    )
    output.say(str(rate))
    for group in groups:
        output.say("")
        shares = rate.by(cast(Group, group))
        cells = [(name, f"{one.failed:,}", f"{one.of:,}", *_bounds(one.low, one.high)) for name, one in shares.items()]
        output.table((group, "failed", "of", "low", "high"), cells, numbers=("failed", "of", "low", "high"))
    if out is not None:
        rate.save(out, overwrite="force" if force else False)
        output.say(f"wrote {out}")
    output.document({"model": model, "out": None if out is None else str(out), **_summary(rate, groups)})


def _operator(fault: str, bits: list[str] | None, patterns: list[str] | None) -> Elementwise:
    """Return what one fault is.

    Raises:
        UsageError: It is not known, or has no bits to choose.
    """
    if fault not in FAULTS:
        raise UsageError(f"--fault is one of {', '.join(FAULTS)}; received {fault!r}.")
    if bits and fault not in _ON_BITS:
        raise UsageError(f"--bits goes with {', '.join(_ON_BITS)}, not with {fault}.")
    common: dict[str, Any] = {"count": 1, "where": where(*(patterns or ()))}
    if bits:
        common["bits"] = tuple(int(bit) if bit.isdigit() else bit for bit in bits)
    if fault in ("stuck-at-0", "stuck-at-1"):
        return StuckAt(value=int(fault[-1]), **common)
    return {"bit-flip": BitFlip, "sign-flip": SignFlip, "zero": Zero}[fault](**common)


def _bounds(low: float, high: float) -> tuple[str, str]:
    return f"{low:.2%}", f"{high:.2%}"


def _summary(rate: FaultRate, groups: list[str]) -> dict[str, Any]:
    """Return the rate as JSON holds it, without the single faults."""
    return {
        "operator": rate.operator.to_json(),
        "population": rate.population,
        "injected": len(rate.faults),
        "rate": {**asdict(rate.rate), "share": rate.share},
        "effects": {effect.name.lower(): number for effect, number in rate.outcomes().items()},
        "margin": rate.margin,
        "confidence": rate.confidence,
        "by": {
            group: {name: {**asdict(one), "share": one.share} for name, one in rate.by(cast(Group, group)).items()}
            for group in groups
        },
        "worst": rate.worst(),
    }
