"""The tables of a run, and rows as individuals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from blake3 import blake3

from genewright.errors import StoreError
from genewright.evolution.individual import Genome, Individual
from genewright.operator import AnyOperator

PREFIX = "genewright_"
FORMAT = 2  # of the tables and of what stands in them


_DIGESTED = (
    "number",
    "generation",
    "parent",
    "mate",
    "operator",
    "seed",
    "strength",
    "trained",
    "mutation",
    "status",
    "objective",
    "fitness",
    "error",
    "seconds",
    "worker",
)


class Tables:
    """The three tables: what the run is, its operators' texts (each once), and its individuals.

    Args:
        alchemy: The module sqlalchemy.
    """

    def __init__(self, alchemy: Any) -> None:
        self.metadata = alchemy.MetaData()
        column, table = alchemy.Column, alchemy.Table
        self.about = table(
            f"{PREFIX}run",
            self.metadata,
            column("name", alchemy.String(32), primary_key=True),
            column("value", alchemy.Text, nullable=False),
        )
        self.operators = table(
            f"{PREFIX}operators",
            self.metadata,
            column("id", alchemy.Integer, primary_key=True, autoincrement=False),
            column("text", alchemy.Text, nullable=False),
        )
        self.individuals = table(
            f"{PREFIX}individuals",
            self.metadata,
            column("number", alchemy.BigInteger, primary_key=True, autoincrement=False),
            column("generation", alchemy.BigInteger, nullable=False, index=True),
            column("parent", alchemy.BigInteger, index=True),
            column("mate", alchemy.BigInteger),
            column("operator", alchemy.Integer),
            column("seed", alchemy.BigInteger, nullable=False),
            column("strength", alchemy.Double, nullable=False),
            column("trained", alchemy.Text, nullable=False),
            column("mutation", alchemy.Text, nullable=False),
            column("status", alchemy.String(16), nullable=False),
            column("objective", alchemy.Double, index=True),
            column("fitness", alchemy.Text),  # where it is more than the objective
            column("error", alchemy.Text, nullable=False),
            column("seconds", alchemy.Double, nullable=False),
            column("worker", alchemy.Text, nullable=False),
            column("digest", alchemy.BigInteger, nullable=False),  # of all the others: a database has none of its own
        )


def row_of(individual: Individual, operator: int | None) -> dict[str, Any]:
    """Return the row of an individual, its operator by number.

    Raises:
        StoreError: It has more than two parents.
    """
    genome = individual.genome
    if len(genome.parents) > 2:
        raise StoreError(f"A store holds two parents; individual {individual.number} has {len(genome.parents)}.")
    parents = (*genome.parents, None, None)
    plain = individual.fitness is None or isinstance(individual.fitness, float)
    row: dict[str, Any] = {
        "number": individual.number,
        "generation": individual.generation,
        "parent": parents[0],
        "mate": parents[1],
        "operator": operator,
        "seed": genome.seed,
        "strength": genome.strength,
        "trained": genome.trained,
        "mutation": individual.mutation,
        "status": individual.status,
        "objective": individual.objective,
        "fitness": None if plain else json.dumps(individual.fitness),
        "error": individual.error.replace("\0", "\\0"),  # which a PostgreSQL text cannot hold
        "seconds": individual.seconds,
        "worker": individual.worker,
    }
    return {**row, "digest": _digest(row)}


def individual_of(row: Mapping[str, Any], operator: AnyOperator | None) -> Individual:
    """Read what `row_of` wrote.

    Raises:
        ValueError: It is not what was written.
    """
    if row["digest"] != _digest(row):
        raise ValueError(f"individual {row['number']} is not as it was written")
    fitness: Any = row["objective"] if row["fitness"] is None else json.loads(row["fitness"])
    if isinstance(fitness, list):
        fitness = tuple(cast("list[float]", fitness))
    return Individual(
        number=row["number"],
        generation=row["generation"],
        genome=Genome(
            parents=tuple(parent for parent in (row["parent"], row["mate"]) if parent is not None),
            operator=operator,
            seed=row["seed"],
            strength=row["strength"],
            trained=row["trained"],
        ),
        mutation=row["mutation"],
        status=row["status"],
        fitness=fitness,
        error=row["error"],
        seconds=row["seconds"],
        worker=row["worker"],
    )


def digest_of(values: Any) -> int:
    """Return 63 bits of plain values."""
    return int.from_bytes(blake3(repr(values).encode()).digest(8)) >> 1


def _digest(row: Mapping[str, Any]) -> int:
    values = [row[name] for name in _DIGESTED]
    return digest_of([0.0 if value == 0 and isinstance(value, float) else value for value in values])  # SQLite's -0.0
