"""What travels between processes: the job once, then genomes, a few at a time."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any

from genewright.errors import SettingError
from genewright.evolution.evaluation import Job
from genewright.evolution.individual import Genome
from genewright.extras import required


def sent(job: Job, who: str) -> bytes:
    """Return a job as bytes: functions of a script or a notebook go by value, all else by name.

    Args:
        job: The job.
        who: The executor, for the message.

    Raises:
        SettingError: Something in it cannot be sent.
        MissingExtraError: cloudpickle is not installed.
    """
    try:
        return written(job)
    except Exception as error:  # what objects raise that cannot be pickled
        if isinstance(error, ImportError):
            raise
        raise SettingError(
            f"{who} sends the model and the fitness function to other processes, and that cannot be done: {error}. "
            "Leave out what belongs to this process (open files, locks, loaders with workers), or take gw.Serial()."
        ) from error


def written(thing: Any) -> bytes:
    """Return anything as bytes."""
    return required("cloudpickle", extra="evolution", what="An executor of other processes").dumps(thing)


def received(data: bytes) -> Any:
    """Return what `written` wrote: by a process that this run has started."""
    return pickle.loads(data)  # noqa: S301  # our own bytes, through our own pipe


class Known:
    """Which genomes a worker knows, so that each is sent to it once."""

    def __init__(self) -> None:
        self._numbers: set[int] = set()

    def missing(self, genome: Genome, genomes: Mapping[int, Genome]) -> dict[int, Genome]:
        """Return the ancestors of a genome that the worker does not know; from now on it does."""
        found: dict[int, Genome] = {}
        todo = list(genome.sources)
        while todo:
            number = todo.pop()
            if number not in self._numbers:
                self._numbers.add(number)
                found[number] = genomes[number]
                todo += genomes[number].sources
        return found


def limit_threads(threads: int) -> None:
    """Let torch compute with some threads in this process: as many workers as cores need one each."""
    import sys

    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)
