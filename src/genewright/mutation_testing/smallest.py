"""A smallest set of samples that kills all mutants that any sample kills."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Cover:
    """Some samples that together kill all that is killed.

    Attributes:
        samples: Their numbers, the most telling first.
        at_least: No set of fewer samples than this kills as much: so many mutants share no killing sample.
        mutants: How many mutants they kill.
    """

    samples: tuple[int, ...]
    at_least: int
    mutants: int

    @property
    def smallest(self) -> bool:
        """Whether it is proved that no smaller set exists."""
        return len(self.samples) == self.at_least


def smallest_cover(kills: NDArray[np.bool_]) -> Cover:
    """Return a set of samples that kills every mutant that any sample kills, by the greedy algorithm.

    Each time the sample is taken that kills most of what is left (the first of equals); what later ones have made
    needless is dropped. To find a smallest set is NP-hard, so a bound stands beside it: mutants no two of which are
    killed by one sample need a sample each.

    Args:
        kills: Mutants x samples.

    Example:
        >>> cover = smallest_cover(np.array([[1, 1, 0], [0, 1, 0], [0, 0, 1]], bool))
        >>> cover.samples, cover.at_least, cover.smallest
        ((1, 2), 2, True)

    References:
        Chvatal, "A Greedy Heuristic for the Set-Covering Problem", Mathematics of Operations Research 4(3), 1979.
    """
    rows = kills[kills.any(axis=1)]
    chosen: list[int] = []
    left = rows
    while len(left):
        best = int(left.sum(axis=0).argmax())
        chosen.append(best)
        left = left[~left[:, best]]
    for sample in chosen[::-1]:
        others = [one for one in chosen if one != sample]
        if others and rows[:, others].any(axis=1).all():
            chosen = others
    return Cover(tuple(chosen), _apart(rows), len(rows))


def _apart(rows: NDArray[np.bool_]) -> int:
    """Return how many mutants are found that share no killing sample, those with the fewest first."""
    used = np.zeros(rows.shape[1], np.bool_)
    found = 0
    for at in np.argsort(rows.sum(axis=1), kind="stable"):
        if not (rows[at] & used).any():
            used |= rows[at]
            found += 1
    return found
