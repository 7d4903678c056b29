"""Individual: what is known of one evaluated network; its weights are made again when they are needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genewright.evolution.values import Value, objective_or_none
from genewright.operator import AnyOperator
from genewright.strengths.scaling import scalable, scaled

Status = Literal["evaluated", "refused", "failed", "timeout", "died"]


@dataclass(frozen=True, kw_only=True)
class Genome:
    """How an individual is made of its parents: some dozen bytes, whatever the size of the network.

    Attributes:
        parents: Their numbers; none for the base, which is number 0.
        operator: What mutates the first parent; None leaves it as it is.
        seed: The mutation's seed.
        strength: Factor of the operator's strength, where it has one.
        trained: Where it was trained, the key of its weights in the run's folder; its children start from those.
    """

    parents: tuple[int, ...]
    operator: AnyOperator | None = None
    seed: int = 0
    strength: float = 1.0
    trained: str = ""

    @property
    def mutation(self) -> AnyOperator | None:
        """The operator at its strength; one that has no strength, such as a change of layers, as it is."""
        if self.operator is None or not scalable(self.operator):
            return self.operator
        return scaled(self.operator, self.strength)

    @property
    def sources(self) -> tuple[int, ...]:
        """Numbers of those whom it is made from: its parents, or nobody where its own trained weights are kept."""
        return () if self.trained else self.parents


@dataclass(frozen=True, kw_only=True)
class Individual:
    """One individual of a run.

    Attributes:
        number: Its number, in the order in which individuals were asked for; the base is 0.
        generation: The generation that it was asked for in; the base is of generation 0.
        genome: How it is made.
        mutation: The name of its mutation, where there are several.
        status: "evaluated"; or why it has no fitness: its mutation was "refused", the fitness function "failed" (it
            raised, or returned no number) or took too long ("timeout"), or its process "died" again and again.
        fitness: What the fitness function returned, None where it has none.
        error: The refusal or the traceback.
        seconds: How long its making and its evaluation took, on the wall.
        worker: Which worker evaluated it.
    """

    number: int
    generation: int
    genome: Genome
    mutation: str = ""
    status: Status = "evaluated"
    fitness: Value | None = None
    error: str = ""
    seconds: float = 0.0
    worker: str = ""

    @property
    def parents(self) -> tuple[int, ...]:
        """Numbers of its parents."""
        return self.genome.parents

    @property
    def objective(self) -> float | None:
        """The number that is compared: its fitness, the first of several."""
        return objective_or_none(self.fitness)

    @property
    def reevaluates(self) -> bool:
        """Whether it is its parent, evaluated once more."""
        return bool(self.genome.parents) and self.genome.operator is None
