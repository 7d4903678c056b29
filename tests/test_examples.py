"""Every example in a docstring runs and shows what it says."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path
from types import ModuleType

import pytest

import genewright

OPTIONAL = {"triton", "keras", "tensorflow", "jax", "numba", "sklearn", "matplotlib"}
# Modules that are imported without what they need, for it is asked for where it is used first.
NEEDS = {f"genewright.evolution.loggers.{name}_log": name for name in ("mlflow", "tensorboard", "wandb")}
HOUSE = Path(genewright.__file__).parent
FINDER = doctest.DocTestFinder(exclude_empty=True)


def _name(path: Path) -> str:
    parts = path.relative_to(HOUSE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


WITH_EXAMPLES = [_name(path) for path in sorted(HOUSE.rglob("*.py")) if ">>> " in path.read_text()]


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in OPTIONAL:
            raise
        pytest.skip(f"needs {error.name}")


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples(name: str) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    tried = 0
    for example in FINDER.find(_imported(name), name):
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        runner.run(example)
        assert runner.failures == 0, f"{example.name}: see the captured output"
        tried += runner.tries
    assert tried > 0, "'>>> ' stands in this file, but in no docstring that doctest finds"


def test_modules_with_examples_are_found() -> None:
    assert NEEDS.keys() <= set(WITH_EXAMPLES)
    assert {"genewright.mutate.making", "genewright.compare", "genewright.conformance"} <= set(WITH_EXAMPLES)
