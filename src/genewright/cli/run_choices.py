"""What the file of a run chooses: mutations, the strategy, the executor and the training, made of their tables."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, cast

from genewright.cli.arguments import UsageError
from genewright.cli.factories import imported
from genewright.errors import SettingError, UnknownNameError
from genewright.evolution.executors.batched import Batched
from genewright.evolution.executors.executor import Executor
from genewright.evolution.executors.processes import Processes
from genewright.evolution.executors.ray import Ray
from genewright.evolution.executors.serial import Serial
from genewright.evolution.strategies.configured import configured_from_json
from genewright.evolution.training import Training
from genewright.names import did_you_mean, snake_case
from genewright.operator import make_operator

Made = TypeVar("Made")

# Each with the setting that may be said alone: {processes = 4}.
_EXECUTORS: dict[str, tuple[type[Executor], str | None]] = {
    "serial": (Serial, None),
    "batched": (Batched, "memory"),
    "processes": (Processes, "number"),
    "ray": (Ray, "address"),
}


def mutation_of(said: Any) -> Any:
    """Return one operator, several by name, or None for none.

    Args:
        said: ``{operator = "gaussian_noise", std = 0.05}``, or such tables by name; an operator without settings by
            its name alone. Where a setting is an operator (`Sequence`, `OneOf`), it is such a table, too; ``{operator =
            ..., settings = {...}}`` says the same.

    Raises:
        UsageError: There is no such operator, or a setting is unknown or out of range.
    """
    if said is None:
        return None
    if isinstance(said, str) or isinstance(said.get("operator"), str):
        return _operator(said)
    return {name: _operator(one) for name, one in said.items()}


def strategy_of(said: Any) -> Any:
    """Return the strategy of ``{name = "genetic_algorithm", population = 50, ...}``, or of its name alone.

    Raises:
        UsageError: There is no such one, or a setting is unknown or out of range.
    """
    settings: dict[str, Any] = dict(cast("Mapping[str, Any]", said)) if isinstance(said, Mapping) else {"name": said}
    if "name" not in settings:
        raise UsageError(
            'strategy: its name is missing. Write strategy = {name = "GeneticAlgorithm", population = 50}.'
        )
    name = str(settings.pop("name"))
    form = {key: _nested(value) for key, value in settings.items()}
    try:
        return configured_from_json({"is": snake_case(name).replace("-", "_"), **form})
    except (SettingError, UnknownNameError, OSError) as error:
        raise UsageError(f"strategy: {error}") from error


def executor_of(said: Any) -> Executor:
    """Return who evaluates: ``"serial"``, ``{processes = 4}``, ``{ray = {number = 2}}``; this process for None.

    Raises:
        UsageError: There is no such one, or a setting is unknown or out of range.
    """
    none: Mapping[str, Any] = {}
    entry = {said or "serial": none} if said is None or isinstance(said, str) else said
    kind, setting = one_entry(entry, "executor", _EXECUTORS, "{processes = 4}")
    cls, alone = _EXECUTORS[kind]
    if isinstance(setting, Mapping):
        return made(cls, cast("Mapping[str, Any]", setting))
    if alone is None:
        raise UsageError(f'executor: {kind} has no settings. Write executor = "{kind}".')
    return made(cls, {alone: setting})


def training_of(said: Any) -> Training | None:
    """Return the training of ``"package.module:function"``, or ``{function = ..., settings = {lr = 0.1}}``.

    Raises:
        UsageError: There is no such function, or a setting is unknown or out of range.
    """
    if said is None:
        return None
    settings = {"function": said} if isinstance(said, str) else dict(cast("Mapping[str, Any]", said))
    if not isinstance(settings.get("function"), str):
        raise UsageError(f'train is "package.module:function", or a table with it as function; received {said!r}.')
    return made(Training, {**settings, "function": imported(settings["function"])})


def made(cls: Callable[..., Made], settings: Mapping[str, Any]) -> Made:
    """Return an object of a class by its settings; a wrong one is a wrong file.

    Raises:
        UsageError: A setting is unknown, missing or out of range.
    """
    name = cast("type[Any]", cls).__name__
    arguments = inspect.signature(cls).parameters.values()
    known = [argument.name for argument in arguments if argument.kind is not argument.VAR_KEYWORD]
    for key in settings:
        if key not in known and len(known) == len(arguments):
            raise UsageError(f"{name} has no setting {key!r}. {did_you_mean(key, known)}")
    for one in arguments:
        if one.default is one.empty and one.name in known and one.name not in settings:
            raise UsageError(f"{name}: the setting {one.name!r} is missing.")
    try:
        return cls(**settings)
    except SettingError as error:
        raise UsageError(str(error)) from error
    except (TypeError, AttributeError) as error:  # one is of another type
        raise UsageError(f"{name}: {error}") from error


def one_entry(said: Any, what: str, known: Iterable[str], sample: str) -> tuple[str, Any]:
    """Return the one entry of a table that says a kind and its settings.

    Raises:
        UsageError: It is no such table.
    """
    entries: Mapping[str, Any] = cast("Mapping[str, Any]", said) if isinstance(said, Mapping) else {}
    if len(entries) != 1 or next(iter(entries)) not in known:
        received = ", ".join(entries) or repr(cast("object", said))
        raise UsageError(
            f"{what} is a table with one entry, {' or '.join(known)}, such as {sample}; received {received}."
        )
    return next(iter(entries.items()))


def _operator(said: Any) -> Any:
    settings: dict[str, Any] = (
        dict(cast("Mapping[str, Any]", said)) if isinstance(said, Mapping) else {"operator": said}
    )
    name = settings.pop("operator", None)
    if not isinstance(name, str):
        raise UsageError(
            f'mutation: an operator is a table {{operator = "gaussian_noise", std = 0.05}}; received {said}.'
        )
    if list(settings) == ["settings"] and isinstance(settings["settings"], Mapping):
        settings = dict(cast("Mapping[str, Any]", settings["settings"]))
    try:
        return make_operator(name.replace("-", "_"), {key: _operators_in(value) for key, value in settings.items()})
    except (SettingError, UnknownNameError) as error:
        raise UsageError(f"mutation: {error}") from error


def _operators_in(value: Any) -> Any:
    """Return a setting with the operators in it as a recipe writes them."""
    if isinstance(value, list):
        return [_operators_in(entry) for entry in cast("list[Any]", value)]
    if isinstance(value, Mapping) and "operator" in value:
        return _operator(cast("object", value)).to_json()
    return cast("object", value)


def _nested(value: Any) -> Any:
    """Return a table with a name, such as a strength or an island's strategy, as it is kept in a store."""
    if isinstance(value, Mapping) and "name" in value:
        return strategy_of(cast("object", value)).to_json()
    return cast("object", value)
