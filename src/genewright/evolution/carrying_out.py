"""How a run goes, from where its store stands to its end, and what comes of it."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from genewright.evolution.arrangement import Arrangement
from genewright.evolution.callbacks import Callback
from genewright.evolution.driver import Driver
from genewright.evolution.individual import Genome
from genewright.evolution.progress import ProgressLine
from genewright.evolution.run import Run
from genewright.evolution.stores.store import Store


@dataclass
class _End:
    """Why a run has ended, once that is known."""

    reason: str = "an error"


@contextmanager
def _told_of(callbacks: Sequence[Callback], about: Mapping[str, Any]) -> Generator[_End]:
    """Tell callbacks that a run starts, and at the end why it ended: all who were told the first, whatever happens."""
    end = _End()

    def tell(callback: Callback) -> None:
        callback.ended(end.reason)

    with ExitStack() as ends:
        try:
            for callback in callbacks:
                callback.started(about)
                ends.callback(tell, callback)
            yield end
        except BaseException as error:
            end.reason = type(error).__name__
            raise


def carried_out(
    made: Arrangement,
    store: Store,
    about: Mapping[str, Any],
    callbacks: Sequence[Callback],
    progress: bool | None,
    *,
    begins: bool,
) -> Run:
    """Carry a run to its end; an error lets go of the store.

    Args:
        made: What it does and who judges it.
        store: Where it is kept.
        about: What it is, as the store keeps it.
        callbacks: Who is told.
        progress: Whether a line of progress is shown; None where standard error is a terminal.
        begins: The store is empty: `about` is written once nothing more can be refused.
    """
    told = [*callbacks, *ProgressLine.wanted(progress)]
    genomes: dict[int, Genome] = {}
    setup, job = made.setup, made.job
    try:
        with _told_of(told, about) as end, made.executor.start(job, genomes) as crew:
            if begins:
                store.begin(about)
            driver = Driver(setup, store, crew, genomes, job.base, told)
            end.reason = driver.run()
    except BaseException:
        store.close()
        raise
    return Run(
        store,
        job.base,
        genomes,
        driver.champion,
        example=job.example,
        trained=job.trained,
        mutations=setup.mutations,
        reason=end.reason,
        state=driver.state,
    )
