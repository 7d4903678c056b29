"""Run: what came of an evolution, read from where it is kept."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from genewright.errors import EvolutionError
from genewright.evolution.champion import Champion
from genewright.evolution.frame import as_frame, generations_of
from genewright.evolution.front import front_of
from genewright.evolution.grower import Grower
from genewright.evolution.individual import Genome, Individual
from genewright.evolution.mutations import Mutations, Tally
from genewright.evolution.shown import lines_of, shown_as_html
from genewright.evolution.stores.store import Generation, Store
from genewright.evolution.strategies.map_elites import Archive
from genewright.evolution.trained_weights import TrainedWeights
from genewright.evolution.values import Value, checked, objectives
from genewright.fitness.fitness import judged
from genewright.mutate import recipe
from genewright.recipe import Recipe
from genewright.seeding import Noise, Seed
from genewright.settings import check_integer
from genewright.showing import Shown
from genewright.storage import Overwrite


class Run(Shown):
    """A run of `gw.evolve`: its champion as a model and as a recipe, and how it came about.

    Attributes:
        reason: Why it ended: the name of a limit ("generations", "evaluations", "seconds", "target") or "callback".

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(2, 1)
        >>> run = gw.evolve(net, lambda m: -float(m.weight.norm()), mutation=gw.GaussianNoise(std=0.1),
        ...     strategy=gw.GeneticAlgorithm(population=8, parents=2), generations=2, seed=1)
        >>> [one.number for one in run.lineage(run.best)][0], len(run.generations())
        (0, 3)
        >>> gw.fingerprint(gw.replay(run.best_recipe, net)) == gw.fingerprint(run.best_model)
        True
    """

    made_by = "gw.evolve(model, fitness, ...)"

    def __init__(
        self,
        store: Store,
        base: Any,
        genomes: Mapping[int, Genome],
        champion: Champion,
        *,
        example: Any = None,
        trained: TrainedWeights | None = None,
        mutations: Mutations | None = None,
        reason: str = "",
        state: Any = None,
    ) -> None:
        self.reason = reason
        self._store = store
        self._base = base
        self._genomes = genomes
        self._champion = champion
        self._mutations = mutations
        self._state = state
        self._grower = Grower(base, genomes, example=example, trained=trained)

    @property
    def best(self) -> Individual:
        """The champion: the individual of the best fitness, the first of several objectives; of equal ones the oldest.

        Raises:
            EvolutionError: No individual has a fitness.
        """
        number = self._champion.best()
        if number is None:
            raise EvolutionError("No individual of this run has a fitness.")
        return self.individual(number)

    @functools.cached_property
    def best_model(self) -> Any:
        """The champion as a model of the base's class, with its recipe; the base's copy where nothing was better."""
        return self.model(self.best)

    @functools.cached_property
    def best_recipe(self) -> Recipe | None:
        """The champion's recipe, which `gw.replay` makes it from; None where it is the base itself.

        In a run that trains its individuals, the recipe says how the architecture came about. No recipe holds what
        training does: the weights are those of `best_model`.
        """
        return recipe(self.best_model) if self._champion_moved() else None

    @property
    def front(self) -> list[Individual]:
        """The individuals that none exceeds in all objectives, in the order of the first objective, the best first."""
        return front_of(one for one in self.individuals() if one.fitness is not None)

    @property
    def elites(self) -> list[Individual]:
        """The elites of a run of `gw.MAPElites`, in the order of their cells.

        Raises:
            EvolutionError: The run had another strategy.
        """
        if not isinstance(self._state, Archive):
            raise EvolutionError("Only a run of gw.MAPElites has elites. See run.best and run.front.")
        return [self.individual(number) for number, _ in self._state.elites()]

    @property
    def history(self) -> Any:
        """One row a generation, as a pandas DataFrame: the columns are those of `generations`.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return as_frame([dataclasses.asdict(one) for one in self.generations()])

    @property
    def frame(self) -> Any:
        """One row an individual, as a pandas DataFrame: number, generation, fitness, seconds, mutation, status, parent.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return as_frame(self._store.columns())

    @property
    def mutations(self) -> dict[str, Tally]:
        """How often each mutation was tried, and succeeded, by its name."""
        return {} if self._mutations is None else dict(self._mutations.tallies)

    def generations(self) -> list[Generation]:
        """Return what became of each generation."""
        return list(generations_of(self._store.columns()))

    def individual(self, number: int) -> Individual:
        """Return an individual by its number.

        Raises:
            UnknownNameError: There is none.
        """
        return self._store.individual(number)

    def individuals(self) -> Iterator[Individual]:
        """Yield all individuals, in the order of their numbers."""
        return self._store.individuals()

    def lineage(self, individual: Individual | int) -> list[Individual]:
        """Return the way from the base to an individual, by first parents, both ends included."""
        number = individual if isinstance(individual, int) else individual.number
        return [self.individual(one) for one in self._grower.lineage(self.individual(number).number)]

    def model(self, individual: Individual | int) -> Any:
        """Return any individual as a model with its recipe; it is made again, to the bit."""
        number = individual if isinstance(individual, int) else individual.number
        return self._grower.signed(self.individual(number).number)

    def rejudged(self, fitness: Any, *, seed: Seed, count: int = 8) -> list[tuple[Individual, Value]]:
        """Judge the best of the last generation once more, all alike: for noisy fitness, whose best was lucky, too.

        Args:
            fitness: As in `gw.evolve`, or another one, such as with more episodes.
            seed: What it draws from; the same for all, and not what they were chosen by.
            count: How many, at least 1.

        Returns:
            Individuals with their new fitness, the best first. The run stays as it is.

        Raises:
            SettingError: The fitness is no number.
        """
        check_integer("Run.rejudged", "count", count, low=1)
        noise = Noise(seed, "/rejudged", "fitness")
        last: list[tuple[float, Individual]] = []
        for _, group in itertools.groupby(self.individuals(), key=lambda one: one.generation):
            last = [(one.objective, one) for one in group if one.objective is not None]
        finalists = [one for _, one in sorted(last, key=lambda pair: pair[0], reverse=True)[:count]]
        found = [(one, checked(judged(fitness, self.model(one), noise))) for one in finalists]
        return sorted(found, key=lambda pair: next(iter(objectives(pair[1]))), reverse=True)

    def report(self, path: str | Path, *, overwrite: Overwrite = False) -> None:
        """Write one page of HTML, which needs nothing else: how the run went, and how the champion came about.

        Args:
            path: The file.
            overwrite: Whether an old file may be replaced.

        Raises:
            MissingExtraError: matplotlib or Jinja is not installed.
            EvolutionError: No individual has a fitness.
            FileError: The file exists, or cannot be written.
        """
        # Imported here, for the pages are further down in the house, and most runs need none.
        from genewright.report.evolution.page import write_report

        write_report(path, self._store, base=self._base, champion=self.best_model, overwrite=overwrite)

    def details(self) -> str:
        """Return the run in words: a line a generation."""
        return "\n".join([repr(self), *lines_of(self.generations())])

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        return shown_as_html(repr(self), self.generations())

    def close(self) -> None:
        """Let go of the store's file; what was read stays."""
        self._store.close()

    def __repr__(self) -> str:
        best = self._champion.best()
        said = "no fitness" if best is None else f"best {self._champion.fitness(best):.6g} (individual {best})"
        return f"<gw.Run of {len(self._genomes)} individuals, {said}, ended by {self.reason or 'nothing'}>"

    def _champion_moved(self) -> bool:
        return any(one.genome.operator is not None for one in self.lineage(self.best))
