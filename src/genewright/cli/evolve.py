"""genewright evolve FILE."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from genewright.backends import backend_of
from genewright.cli.arguments import Force, Json, refuse_output
from genewright.cli.models import refuse_drawn
from genewright.cli.output import Output
from genewright.cli.run_file import LIMITS, RunFile
from genewright.evolution.evolve import evolve as evolved
from genewright.evolution.run import Run
from genewright.files import save
from genewright.fingerprint import fingerprint_of

RUN_FILE = """
    model = "my.models:Net"
    weights = "net.safetensors"
    store = "run.db"
    out = "champion.safetensors"
    seed = 246
    generations = 100
    executor = {processes = 4}

    [fitness.supervised]
    data = "held_out.npz"
    metric = "accuracy"

    [mutation]
    operator = "gaussian_noise"
    std = 0.02

    [strategy]
    name = "GeneticAlgorithm"
    population = 50
"""


def evolve(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What the run is, as a .toml file.")],
    *,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Evolve a network as a file says it; the run is kept in its store, and the champion written to its `out`.

    A run that was cut off goes on with `genewright resume`.
    """
    output = Output(as_json=as_json)
    said = RunFile.read(file)
    out = out_of(said, force=force)
    with output.working("Reading"):
        model, example = said.model()
        fitness, mutation, strategy = said.fitness(example), said.mutation(), said.strategy()
        train, loggers = said.training(), said.loggers(overwrite=force)
    weights = said.entries.get("weights")
    refuse_drawn(said.entries["model"], weights, model, None, "weights = 'FILE' in the run's file")
    run = evolved(
        model,
        fitness,
        mutation=mutation,
        strategy=strategy,
        example=example,
        train=train,
        executor=said.executor(),
        callbacks=loggers,
        progress=False if as_json else None,
        notes=dict(said.entries),
        **said.plain("seed", "store", "adapt", "repeats", "timeout", *LIMITS),
    )
    tell(run, out, output, force=force)


def out_of(said: RunFile, *, force: bool) -> Path | None:
    """Return where the champion goes, None for nowhere; refuse a place that is taken before the run begins."""
    if "out" not in said.entries:
        return None
    out = Path(said.entries["out"])
    refuse_output(out, force=force)
    return out


def tell(run: Run, out: Path | None, output: Output, *, force: bool) -> None:
    """Say what came of a run, and write the champion."""
    best = run.best
    generations = run.generations()
    if out is not None:
        with output.working("Writing"):
            save(run.best_model, out, overwrite="force" if force else False)
    result = fingerprint_of(backend_of(run.best_model).network(run.best_model))
    count = sum(one.individuals for one in generations)
    output.say(f"{count} individuals in {len(generations) - 1} generations; ended by {run.reason}")
    output.say(
        f"champion  individual {best.number}, fitness {best.fitness}, {len(run.lineage(best)) - 1} steps from the base"
    )
    output.say(f"mutant    {result}" + ("" if out is None else f"  {out}"))
    form: dict[str, Any] = {
        "reason": run.reason,
        "individuals": count,
        "generations": len(generations) - 1,
        "champion": {"number": best.number, "generation": best.generation, "fitness": best.fitness, "result": result},
        "out": None if out is None else str(out),
    }
    output.document(form)
    run.close()
