"""What a run of evolution is, as a TOML file says it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genewright.cli.arguments import UsageError
from genewright.cli.example import open_with_example
from genewright.cli.run_choices import executor_of, mutation_of, strategy_of, training_of
from genewright.cli.run_fitness import fitness_of
from genewright.cli.run_loggers import loggers_of
from genewright.evolution.callbacks import Callback
from genewright.evolution.executors.executor import Executor
from genewright.evolution.training import Training
from genewright.names import did_you_mean
from genewright.storage import read_file

LIMITS = ("generations", "evaluations", "seconds", "target")
_PLAIN = {
    "model": str,
    "weights": str,
    "store": str,
    "out": str,
    "seed": (int, str),
    "generations": int,
    "evaluations": int,
    "seconds": (int, float),
    "target": (int, float),
    "adapt": bool,
    "repeats": int,
    "timeout": (int, float),
}
_TABLES = {
    "example": (str, list),
    "fitness": (str, dict),
    "mutation": (str, dict),
    "strategy": (str, dict),
    "executor": (str, dict),
    "train": (str, dict),
    "loggers": dict,
}
_SAMPLES = {
    "model": '"my.models:Net"',
    "weights": '"net.safetensors"',
    "store": '"run.db"',
    "out": '"champion.safetensors"',
    "seed": "246",
    "generations": "100",
    "evaluations": "1000",
    "seconds": "60",
    "target": "0.95",
    "adapt": "true",
    "repeats": "3",
    "timeout": "60",
    "example": '"1x3x32x32"',
    "fitness": '"my.models:judge"',
    "mutation": '{operator = "gaussian_noise", std = 0.02}',
    "strategy": '{name = "GeneticAlgorithm", population = 50}',
    "executor": "{processes = 4}",
    "train": '"my.models:train"',
    "loggers": '{csv = "run.csv"}',
}


@dataclass(frozen=True)
class RunFile:
    """A run as a file says it, read and checked; what it names is opened when it is asked for.

    Attributes:
        entries: The file's entries.
    """

    entries: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> RunFile:
        """Read a file.

        Raises:
            FileError: It cannot be read.
            UsageError: It is no TOML, or an entry is unknown or of the wrong type.
        """
        try:
            return cls.of(tomllib.loads(read_file(path).decode()), str(path))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}: is no TOML file ({error}).") from error

    @classmethod
    def of(cls, entries: Mapping[str, Any], name: str) -> RunFile:
        """Check entries.

        Raises:
            UsageError: One is unknown, missing or of the wrong type.
        """
        kinds: dict[str, Any] = {**_PLAIN, **_TABLES}
        for key, value in entries.items():
            if key not in kinds:
                raise UsageError(f"{name}: there is no entry {key!r}. {did_you_mean(key, kinds)}")
            if not isinstance(value, kinds[key]) or (isinstance(value, bool) and kinds[key] is not bool):
                raise UsageError(f"{name}: {key} cannot be {value!r}. Write {key} = {_SAMPLES[key]}.")
        for key in ("model", "fitness", "strategy", "seed", "store"):
            if key not in entries:
                whole = "genewright evolve --help shows a whole file"
                raise UsageError(f"{name}: {key} is missing. Write {key} = {_SAMPLES[key]}; {whole}.")
        return cls(entries)

    def model(self) -> tuple[Any, Any]:
        """Return the model and the sample input (None where none is named)."""
        words = self.entries.get("example")
        words = [words] if isinstance(words, str) else words
        weights = self.entries.get("weights")
        return open_with_example(self.entries["model"], None if weights is None else Path(weights), words, whole=True)

    def fitness(self, example: Any = None) -> Any:
        """Return what individuals are judged by; `example` is the run's sample input, for what it has to see run."""
        return fitness_of(self.entries["fitness"], example)

    def mutation(self) -> Any:
        """Return the mutation: one operator, several by name, or None."""
        return mutation_of(self.entries.get("mutation"))

    def strategy(self) -> Any:
        """Return the strategy."""
        return strategy_of(self.entries["strategy"])

    def executor(self) -> Executor:
        """Return who evaluates; this process by default."""
        return executor_of(self.entries.get("executor"))

    def training(self) -> Training | None:
        """Return what trains individuals before they are judged; None for nothing."""
        return training_of(self.entries.get("train"))

    def loggers(self, *, overwrite: bool) -> list[Callback]:
        """Return who writes a log of the run; `overwrite` says whether a CSV file that is there may be replaced."""
        return loggers_of(self.entries.get("loggers"), overwrite=overwrite)

    def plain(self, *names: str) -> dict[str, Any]:
        """Return the entries of some names that are there."""
        return {name: self.entries[name] for name in names if name in self.entries}
