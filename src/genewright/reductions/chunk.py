"""A chunk whose numbers come from reductions: all that chunks like it are asked for, with the first that is."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from genewright.observation import Chunk, Numbers, Positions
from genewright.reductions.reduction import Reduction

_CANCELLED = 1 / 64  # of the squares: where less is left of them about a centre, rounding has its share in it


class Asked:
    """The reductions that chunks of some units were asked for.

    Args:
        guess: What those of other units were asked for: a first chunk takes it for its own.
    """

    def __init__(self, guess: Asked | None = None) -> None:
        self._known: dict[Reduction, None] = {}
        self._guess = guess

    def note(self, key: Reduction) -> None:
        """Note that one is asked for."""
        self._known[key] = None

    def at_once(self) -> list[Reduction]:
        """Return what to work out together: what was asked for before; the first time, what is likely to be."""
        guessed = {} if self._guess is None else self._guess._known
        self._guess = None
        return list({**self._known, **guessed})


class AskedByLayer:
    """What was asked for of each layer's values, and of what it is given."""

    def __init__(self) -> None:
        self._known: dict[tuple[tuple[str, ...], bool], Asked] = {}
        self._latest: dict[bool, Asked] = {}

    def of(self, layers: tuple[str, ...], *, inputs: bool = False) -> Asked:
        """Return it for chunks of some layers; of ones that are new, what the latest were asked for is a guess."""
        if (layers, inputs) not in self._known:
            self._known[layers, inputs] = self._latest[inputs] = Asked(self._latest.get(inputs))
        return self._known[layers, inputs]


class ReducedChunk(Chunk):
    """Values of which a backend makes reductions.

    Args:
        asked: What earlier chunks of these units were asked for.
    """

    def __init__(self, asked: Asked | None = None) -> None:
        self._asked = Asked() if asked is None else asked
        self._found: dict[Reduction, Numbers] = {}

    @abstractmethod
    def reduce(self, wanted: list[Reduction]) -> dict[Reduction, Numbers]:
        """Return reductions of the values."""

    @abstractmethod
    def squares_apart(self, units: Positions, about: Numbers) -> Numbers:
        """Return the sums of (value - about)^2 of some units, from the differences themselves."""

    @abstractmethod
    def count_nonfinite(self) -> Numbers:
        """Return how many values are NaN or infinite, value by value."""

    def _reduced(self, name: str, number: float = 0.0) -> Numbers:
        key = name, float(number)
        self._asked.note(key)
        if key not in self._found:
            self._found |= self.reduce([each for each in self._asked.at_once() if each not in self._found])
        return self._found[key]

    def sums(self) -> Numbers:
        return self._reduced("sums")

    def distances(self, centre: float = 0.0) -> Numbers:
        return self._reduced("distances", centre)

    def squares(self, about: Numbers | None = None) -> Numbers:
        squares = self._reduced("squares")
        if about is None:
            return squares
        with np.errstate(invalid="ignore", over="ignore"):
            centred = squares - about * (2 * self.sums() - self.count * about)
            cancelled = np.flatnonzero(centred < squares * _CANCELLED)
        if len(cancelled):
            centred[cancelled] = self.squares_apart(cancelled, about[cancelled])
        return centred

    def lowest(self) -> Numbers:
        return self._reduced("lowest")

    def highest(self) -> Numbers:
        return self._reduced("highest")

    def above(self, threshold: float) -> Numbers:
        return self._reduced("above", threshold)

    def equal(self, value: float) -> Numbers:
        return self._reduced("equal", value)

    def nonfinite(self) -> Numbers:
        sums = self.sums()
        if np.isfinite(sums).all():  # a sum in float64 of numbers that are finite is finite
            return np.zeros(len(sums))
        return self.count_nonfinite()
