"""The front: the individuals that none exceeds in all objectives."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from genewright.evolution.individual import Individual
from genewright.evolution.values import objectives


def front_of(individuals: Iterator[Individual]) -> list[Individual]:
    """Return the individuals that none exceeds in all objectives; of several equal ones the oldest.

    One exceeds another where it is at least as good in every objective, and better in one.
    """
    front: list[Individual] = []
    values: NDArray[np.float64] = np.empty((0, 0))
    for one in individuals:
        assert one.fitness is not None
        mine = np.array(objectives(one.fitness))
        if front and np.all(values >= mine, axis=1).any():
            continue
        stays: list[int] = np.flatnonzero(~np.all(mine >= values, axis=1)).tolist() if front else []
        front = [front[at] for at in stays] + [one]
        values = np.vstack([values[stays], mine]) if stays else mine[None]
    return [front[at] for at in np.lexsort((np.arange(len(front)), -values[:, 0]))] if front else []
