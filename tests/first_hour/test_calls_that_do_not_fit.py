"""A function of `gw` that is called with what it does not take answers with the call to write."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

import genewright as gw

FUNCTIONS = {
    name: value
    for name in gw.__all__
    if inspect.isfunction(value := getattr(gw, name)) and not inspect.isgeneratorfunction(value)
}


def _made_by_users() -> dict[str, Callable[..., Any]]:
    """Return the classes of gw and its rooms whose objects users make, and those that functions of gw return."""
    rooms = {"gw": gw, "gw.fitness": gw.fitness, "gw.neurons": gw.neurons, "gw.testing": gw.testing}
    every = {f"{room}.{name}": getattr(module, name) for room, module in rooms.items() for name in dir(module)}
    return {n: v for n, v in every.items() if isinstance(v, (type(gw.Callback), type(gw.Zero)))}


CLASSES = _made_by_users()


@pytest.mark.parametrize("name", CLASSES)
def test_settings_that_do_not_fit_a_class_name_the_call_to_write(name: str) -> None:
    for given, named in (((), {"no_such_setting": 1}), (tuple(range(14)), {})):
        with pytest.raises(gw.GenewrightError) as refused:
            CLASSES[name](*given, **named)
        assert name.rsplit(".", 1)[1] in str(refused.value), str(refused.value)


def test_inspection_knows_the_settings_of_a_class() -> None:
    assert list(inspect.signature(gw.Processes).parameters) == ["number", "threads"]
    assert list(inspect.signature(gw.Zero).parameters) == ["rate", "count", "where"]
    assert list(inspect.signature(gw.fitness.Supervised).parameters) == ["x", "y", "metric", "batch"]
    assert not inspect.signature(gw.Serial).parameters


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_call_that_does_not_fit_names_the_call_to_write(name: str) -> None:
    words: dict[str, Any] = {"no_such_setting": 1}
    for given, named in (((), words), (tuple(range(12)), {})):
        with pytest.raises(gw.GenewrightError) as refused:
            FUNCTIONS[name](*given, **named)
        assert name in str(refused.value), str(refused.value)
