"""MAP-Elites, on an archive of the library ribs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from genewright.errors import SettingError
from genewright.evolution.child import Child
from genewright.evolution.strategies.strategy import WORST, Start, State, Strategy, Told, counted, seed_of
from genewright.evolution.values import FITNESS, Value
from genewright.extras import required
from genewright.noise import choice
from genewright.seeding import Noise
from genewright.settings import check_integer


@dataclass
class Archive(State):
    """The archive of elites: the individuals' numbers, by their measures."""

    archive: Any = None

    def elites(self) -> list[tuple[int, float]]:
        """Return (number, fitness) of every elite, in the order of their cells."""
        data = self.archive.data(["solution", "objective", "index"])
        rows = zip(data["index"].tolist(), data["solution"][:, 0].tolist(), data["objective"].tolist(), strict=True)
        return [(int(number), fitness) for _, number, fitness in sorted(rows)]


@dataclass(frozen=True, kw_only=True)
class MAPElites(Strategy):
    """Keep the best individual for each kind of individual, and mutate any of these.

    The kinds are the cells of a grid over measures: of behaviour, of size, of cost, as the fitness function returns
    them beside the fitness. A child takes a cell where that is empty, or where its fitness exceeds the elite's. What
    lies outside a measure's range belongs to its first or last cell.

    The fitness function returns a dict with "fitness" and every measure by its name.

    Args:
        measures: For each measure (low, high, cells) by its name, with low < high and at least one cell.
        batch: Children of each generation, at least 1.

    Raises:
        SettingError: A setting is out of its range; in a run, a measure is missing in what it is judged by.
        MissingExtraError: ribs is not installed.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(3, 1)
        >>> def judged(model):
        ...     return {"fitness": -float(model.bias.abs()), "norm": float(model.weight.norm())}
        >>> run = gw.evolve(net, judged, mutation=gw.GaussianNoise(std=0.2), generations=5, seed=1,
        ...     strategy=gw.MAPElites(measures={"norm": (0.0, 2.0, 8)}, batch=10))
        >>> len(run.elites) > 1
        True

    References:
        Mouret and Clune, "Illuminating search spaces by mapping elites", arXiv:1504.04909, figure 2; Tjanaka et al.,
        "pyribs: A Bare-Bones Python Library for Quality Diversity Optimization", GECCO 2023.
    """

    measures: Any
    batch: int = 32

    def __post_init__(self) -> None:
        object.__setattr__(self, "measures", tuple(_measures(self.measures)))
        check_integer(self, "batch", self.batch, low=1)

    def begin(self, start: Start) -> Archive:
        self.needs_mutations(start)
        archives = required("ribs.archives", extra="strategies", what="MAPElites")
        archive = archives.GridArchive(
            solution_dim=1,
            dims=[cells for _, _, _, cells in self.measures],
            ranges=[(low, high) for _, low, high, _ in self.measures],
            solution_dtype=np.int64,
            objective_dtype=np.float64,
            measures_dtype=np.float64,
        )
        state = Archive(start, archive=archive)
        if start.fitness is not None:
            self._add(state, 0, start.fitness)
        return state

    def breed(self, state: Archive, noise: Noise) -> list[Child]:
        elites = state.elites() or [(0, WORST)]
        return [self._child(state, elites, noise.child(place)) for place in range(self.batch)]

    def learn(self, state: Archive, told: Sequence[Told]) -> None:
        counted(self.needs_mutations(state.start), told, self.compared)
        for one in told:
            if one.fitness is not None:
                self._add(state, one.number, one.fitness)

    def admit(self, state: Archive, number: int, fitness: Value) -> None:
        self._add(state, number, fitness)

    def _add(self, state: Archive, number: int, fitness: Value) -> None:
        names = [name for name, *_ in self.measures]
        if not isinstance(fitness, dict) or FITNESS not in fitness or any(name not in fitness for name in names):
            asked = ", ".join(f"{name!r}: ..." for name in (FITNESS, *names))
            raise SettingError(f"MAPElites: the fitness function returns {{{asked}}}; received {fitness!r}.")
        state.archive.add_single(np.array([number]), fitness[FITNESS], np.array([fitness[name] for name in names]))

    def _child(self, state: Archive, elites: list[tuple[int, float]], noise: Noise) -> Child:
        number, fitness = elites[choice(noise.stream("parent"), (1.0,) * len(elites))]
        name, operator = self.needs_mutations(state.start).draw(noise)
        return Child(parents=(number,), operator=operator, seed=seed_of(noise), mutation=name, rival=fitness)


def _measures(given: Any) -> list[tuple[str, float, float, int]]:
    rows = (
        [(name, *_row(row)) for name, row in cast("Mapping[Any, Any]", given).items()]
        if isinstance(given, Mapping)
        else [_row(row) for row in cast("Sequence[Any]", given if isinstance(given, tuple | list) else ())]
    )
    for row in rows:
        if not (
            len(row) == 4
            and isinstance(row[0], str)
            and all(isinstance(one, int | float) and math.isfinite(one) for one in row[1:3])
            and row[1] < row[2]
            and type(row[3]) is int
            and row[3] > 0
        ):
            raise SettingError(f"MAPElites: a measure is name: (low, high, cells) with low < high; received {row!r}.")
    if not rows:
        raise SettingError(
            "MAPElites: measures are (low, high, cells) by name, such as {'size': (0, 1000, 20)}; received "
            f"{given!r}."
        )
    return [(row[0], float(row[1]), float(row[2]), row[3]) for row in rows]


def _row(given: Any) -> tuple[Any, ...]:
    return tuple(cast("Sequence[Any]", given)) if isinstance(given, tuple | list) else (given,)
