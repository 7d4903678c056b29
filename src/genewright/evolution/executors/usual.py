"""Who evaluates where nobody is named."""

from __future__ import annotations

from genewright.backends import backend_of
from genewright.evolution.evaluation import Job
from genewright.evolution.executors.batched import Batched
from genewright.evolution.executors.executor import Executor
from genewright.evolution.executors.serial import Serial
from genewright.fitness.fitness import Fitness


def usual(job: Job) -> Executor:
    """Return `gw.Batched()` where that is faster and nothing can differ, else `gw.Serial()`.

    Outputs of individuals that run together differ from those of one alone in their last digits, and which run together
    depends on where a run was interrupted. A count of right decisions does not notice; a loss does, and then two losses
    that are nearly equal might change places. So a run goes by a loss together only where the caller says so.
    """
    together = job.timeout is None and job.training is None and backend_of(job.base).name == "torch"
    counting = isinstance(job.fitness, Fitness) and job.fitness.judges_outputs and job.fitness.counts_decisions
    return Batched() if together and counting else Serial()
