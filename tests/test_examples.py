"""Every example in a docstring runs and shows what it says."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import genewright

OPTIONAL = {"triton", "keras", "tensorflow", "jax", "numba", "sklearn", "matplotlib"}


def _modules() -> Iterator[str]:
    yield "genewright"
    for module in pkgutil.walk_packages(genewright.__path__, "genewright."):
        if not module.name.endswith("__main__"):
            yield module.name


def _imported(name: str) -> object:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in OPTIONAL:
            raise
        pytest.skip(f"needs {error.name}")


@pytest.mark.parametrize("name", list(_modules()))
def test_examples(name: str) -> None:
    module = _imported(name)
    finder = doctest.DocTestFinder(exclude_empty=True)
    for example in finder.find(module, name):  # type: ignore[arg-type]
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        runner.run(example)
        assert runner.failures == 0, f"{example.name}: see the captured output"


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    count = sum(len(t.examples) for t in finder.find(importlib.import_module("genewright.mutate"), "genewright.mutate"))
    assert count > 10
