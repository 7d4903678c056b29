"""injected: faults at different places, until the share of those that fail is known well enough."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from genewright.mutation_testing.counting import Counted
from genewright.mutation_testing.fault_record import Effect, Faults
from genewright.mutation_testing.fault_sample import Look
from genewright.mutation_testing.fault_share import FaultShare
from genewright.noise import distinct
from genewright.seeding import Noise, Seed


def injected(
    schedule: Sequence[Look],
    population: int,
    seed: Seed,
    margin: float,
    run: Callable[[NDArray[np.int64]], Iterable[Faults]],
    told: Counted = lambda done, of: None,
) -> tuple[Faults, float]:
    """Inject faults until a look at which the interval is narrow enough, or the last one.

    Args:
        schedule: The looks.
        population: How many places there are.
        seed: Which of them are drawn; those of a look are among those of the next.
        margin: Half the width of the interval that is narrow enough.
        run: Injects faults at some places, and says what came of them, some at a time and in any order.
        told: Called with how many faults are done, and of how many at most.

    Returns:
        The faults, and the error that the interval of this look may make.
    """
    stream = Noise(seed, "/faults").stream("places")
    parts: list[Faults] = []
    known, most, alpha = np.empty(0, np.int64), schedule[-1].faults, schedule[-1].alpha
    done = 0
    for look in schedule:
        drawn = distinct(stream, look.faults, population)
        for part in run(np.setdiff1d(drawn, known, assume_unique=True)):
            parts.append(part)
            done += len(part)
            told(done, most)
        known, alpha = drawn, look.alpha
        failed = sum(int((part.effect >= Effect.CHANGED).sum()) for part in parts)
        if FaultShare.counted(failed, len(known), population, alpha).margin <= margin:
            break
    told(most, most)
    return Faults.merged(parts), alpha
