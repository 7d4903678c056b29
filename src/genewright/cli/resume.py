"""genewright resume STORE."""

from __future__ import annotations

from typing import Annotated, Any, cast

import typer

from genewright.cli.arguments import Force, Json, UsageError
from genewright.cli.evolve import out_of, tell
from genewright.cli.output import Output
from genewright.cli.run_file import RunFile
from genewright.evolution.resume import resume as resumed
from genewright.evolution.stores.opening import store_to_read

Store = Annotated[str, typer.Argument(metavar="STORE", help="The run's store: an SQLite file, or an SQLAlchemy URL.")]
Generations = Annotated[int | None, typer.Option("--generations", min=1, help="A new limit.", show_default=False)]
Evaluations = Annotated[int | None, typer.Option("--evaluations", min=1, help="A new limit.", show_default=False)]
Seconds = Annotated[float | None, typer.Option("--seconds", help="A new limit, from now.", show_default=False)]
Target = Annotated[float | None, typer.Option("--target", help="A new limit: a fitness.", show_default=False)]


def resume(
    store: Store,
    *,
    generations: Generations = None,
    evaluations: Evaluations = None,
    seconds: Seconds = None,
    target: Target = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Go on with a run that `genewright evolve` began, from where it was cut off, or further than it went.

    Call it in the folder where the run was begun: the names of its model, data and functions are read again.
    """
    output = Output(as_json=as_json)
    with store_to_read(store) as kept:
        notes: Any = kept.about().get("notes")
    if not isinstance(notes, dict) or "model" not in notes:
        raise UsageError(
            f"{store}: the run was begun from Python, so nothing here says what its model and its fitness are. Go on "
            f"with it there: gw.resume({store!r}, model=..., fitness=...)."
        )
    said = RunFile.of(cast("dict[str, Any]", notes), store)
    out = out_of(said, force=force)
    with output.working("Reading"):
        model, example = said.model()
        fitness, train = said.fitness(example), said.training()
        loggers = said.loggers(overwrite=True)  # a CSV file that is there is of the run's first part
    run = resumed(
        store,
        model=model,
        fitness=fitness,
        example=example,
        train=train,
        executor=said.executor(),
        callbacks=loggers,
        generations=generations,
        evaluations=evaluations,
        seconds=seconds,
        target=target,
        progress=False if as_json else None,
        **said.plain("timeout"),
    )
    tell(run, out, output, force=force)
