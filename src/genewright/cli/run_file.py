"""What a run of evolution is, as a TOML file says it."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from genewright import fitness as ready
from genewright.cli.arguments import UsageError
from genewright.cli.data import open_data
from genewright.cli.example import open_with_example
from genewright.cli.models import imported
from genewright.errors import SettingError, UnknownNameError
from genewright.evolution.executors.executor import Executor
from genewright.evolution.executors.processes import Processes
from genewright.evolution.executors.ray import Ray
from genewright.evolution.executors.serial import Serial
from genewright.evolution.strategies.configured import configured_from_json
from genewright.names import did_you_mean, snake_case
from genewright.operator import make_operator
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
_TABLES = {"example": (str, list), "fitness": (str, dict), "mutation": dict, "strategy": dict, "executor": dict}
_EXECUTORS = {"serial": Serial, "processes": Processes, "ray": Ray}
_FITNESSES = ("supervised", "gymnasium")


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
                raise UsageError(f"{name}: {key} cannot be {value!r}.")
        for key in ("model", "fitness", "strategy", "seed", "store"):
            if key not in entries:
                raise UsageError(f"{name}: {key} is missing. See docs/guides/evolution.md for a whole file.")
        return cls(entries)

    def model(self) -> tuple[Any, Any]:
        """Return the model and the sample input (None where none is named)."""
        words = self.entries.get("example")
        words = [words] if isinstance(words, str) else words
        weights = self.entries.get("weights")
        return open_with_example(self.entries["model"], None if weights is None else Path(weights), words, whole=True)

    def fitness(self) -> Any:
        """Return the fitness: a function by its name, or a ready one.

        Raises:
            UsageError: There is no such one.
        """
        said = self.entries["fitness"]
        if isinstance(said, str):
            return imported(said)
        kind, settings = _one_of(said, "fitness", _FITNESSES)
        if kind == "gymnasium":
            return _made(ready.Gymnasium, settings)
        data = open_data(Path(str(settings.pop("data", ""))))
        if not isinstance(data, tuple):
            raise UsageError("fitness.supervised: data is an .npz file with samples and targets (y).")
        x, y = cast("tuple[Any, Any]", data)
        return _made(ready.Supervised, {"x": x, "y": y, **settings})

    def mutation(self) -> Any:
        """Return the mutation: one operator, several by name, or None.

        Raises:
            UsageError: A setting is unknown or out of range.
        """
        said = self.entries.get("mutation")
        if said is None:
            return None
        if "operator" in said:
            return _operator(said)
        return {name: _operator(one) for name, one in said.items()}

    def strategy(self) -> Any:
        """Return the strategy: ``{name = "genetic_algorithm", population = 50, ...}``."""
        return _strategy(self.entries["strategy"])

    def executor(self) -> Executor:
        """Return who evaluates: ``{processes = 4}``, or ``{ray = "auto"}``; this process by default."""
        said = self.entries.get("executor")
        if said is None:
            return Serial()
        if len(said) != 1 or next(iter(said)) not in _EXECUTORS:
            raise UsageError(f"executor is one of {', '.join(_EXECUTORS)}, such as {{processes = 4}}; received {said}.")
        kind, setting = next(iter(said.items()))
        return (
            Serial()
            if kind == "serial"
            else _made(_EXECUTORS[kind], {"address" if kind == "ray" else "number": setting})
        )

    def plain(self, *names: str) -> dict[str, Any]:
        """Return the entries of some names that are there."""
        return {name: self.entries[name] for name in names if name in self.entries}


def _operator(said: Any) -> Any:
    settings: dict[str, Any] = dict(cast("Mapping[str, Any]", said)) if isinstance(said, Mapping) else {}
    name = settings.pop("operator", None)
    if not isinstance(name, str):
        raise UsageError(
            f'mutation: an operator is a table {{operator = "gaussian_noise", std = 0.05}}; received {said}.'
        )
    try:
        return make_operator(name.replace("-", "_"), settings)
    except (SettingError, UnknownNameError) as error:
        raise UsageError(f"mutation: {error}") from error


def _strategy(said: Any) -> Any:
    settings: dict[str, Any] = dict(cast("Mapping[str, Any]", said)) if isinstance(said, Mapping) else {}
    name = str(settings.pop("name", ""))
    form = {key: _nested(value) for key, value in settings.items()}
    try:
        return configured_from_json({"is": snake_case(name).replace("-", "_"), **form})
    except (SettingError, UnknownNameError, OSError) as error:
        raise UsageError(f"strategy: {error}") from error


def _nested(value: Any) -> Any:
    """Return a table with a name, such as a strength or an island's strategy, as it is kept in a store."""
    if isinstance(value, Mapping) and "name" in value:
        return _strategy(cast("object", value)).to_json()
    return cast("object", value)


def _one_of(said: Mapping[str, Any], what: str, kinds: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    if len(said) != 1 or next(iter(said)) not in kinds:
        raise UsageError(
            f'{what} is "package.module:function", or one table of {", ".join(kinds)}; received {", ".join(said)}.'
        )
    kind, settings = next(iter(said.items()))
    return kind, dict(settings)


def _made(cls: Any, settings: Mapping[str, Any]) -> Any:
    known = [field.name for field in dataclasses.fields(cls)]
    for name in settings:
        if name not in known:
            raise UsageError(f"{cls.__name__} has no setting {name!r}. {did_you_mean(name, known)}")
    try:
        return cls(**settings)
    except (SettingError, TypeError) as error:
        raise UsageError(str(error)) from error
