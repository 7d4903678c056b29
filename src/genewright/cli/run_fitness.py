"""What individuals are judged by, as the file of a run says it: functions, ready fitnesses, their sums and names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from genewright.cli.arguments import UsageError
from genewright.cli.data import open_data
from genewright.cli.example import open_example
from genewright.cli.factories import imported
from genewright.cli.run_choices import made, one_entry
from genewright.fitness import Gymnasium, Named, Penalty, Supervised
from genewright.fitness.fitness import Sum

_FORMS = ("function", "supervised", "gymnasium", "penalty", "sum", "named")


def fitness_of(said: Any, example: Any = None) -> Any:
    """Return the fitness that an entry says.

    Args:
        said: ``"package.module:function"``; or a table of one entry: ``supervised``, ``gymnasium`` or ``penalty`` with
            its settings, ``sum`` with a list of fitnesses, or ``named`` with fitnesses by name.
        example: The run's sample input, which `Penalty` takes where it names none of its own.

    Raises:
        UsageError: It is none of these, or a setting is wrong.
        GenewrightError: What it names cannot be read.
    """
    if isinstance(said, str):
        return imported(said)
    kind, settings = one_entry(said, "fitness", _FORMS, '{penalty = {cost = "size"}}')
    if kind == "function":
        return imported(str(settings))
    if kind == "sum":
        if not isinstance(settings, list) or not settings:
            raise UsageError(f"fitness.sum is a list of fitnesses; received {settings!r}.")
        return Sum(tuple(fitness_of(part, example) for part in cast("list[Any]", settings)))
    if not isinstance(settings, Mapping) or not settings:
        raise UsageError(f"fitness.{kind} is a table; received {settings!r}.")
    entries = dict(cast("Mapping[str, Any]", settings))
    if kind == "named":
        return Named(**{name: fitness_of(part, example) for name, part in entries.items()})
    return {"supervised": _supervised, "gymnasium": _gymnasium, "penalty": _penalty}[kind](entries, example)


def _supervised(settings: dict[str, Any], example: Any) -> Supervised:
    data = open_data(Path(str(settings.pop("data", ""))))
    if not isinstance(data, tuple):
        raise UsageError("fitness.supervised: data is an .npz file with samples and targets (y).")
    x, y = cast("tuple[Any, Any]", data)
    return made(Supervised, {"x": x, "y": y, **_with_function(settings, "metric")})


def _gymnasium(settings: dict[str, Any], example: Any) -> Gymnasium:
    return made(Gymnasium, _with_function(settings, "policy"))


def _penalty(settings: dict[str, Any], example: Any) -> Penalty:
    words = settings.pop("example", None)
    own = open_example([words] if isinstance(words, str) else words)
    return made(Penalty, {**settings, "example": example if own is None else own})


def _with_function(settings: dict[str, Any], name: str) -> dict[str, Any]:
    """Return settings in which one that says package.module:function is that function."""
    value = settings.get(name)
    return {**settings, name: imported(value)} if isinstance(value, str) and ":" in value else settings
