"""The same seed, names and shapes give the same bytes on every Keras backend and in torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import genewright as gw

from .conftest import INSTALLED


@pytest.fixture(scope="module", params=[3, pytest.param(1, marks=pytest.mark.slow)], ids="one operator in {}".format)
def said(request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    """What a process of each backend says."""
    answers = {}
    for backend in INSTALLED:
        done = subprocess.run(
            [sys.executable, "-m", "tests.backends.keras.on_this_backend", str(request.param)],
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "KERAS_BACKEND": backend},
        )
        assert done.returncode == 0, done.stderr[-2000:]
        answers[backend] = json.loads(done.stdout.splitlines()[-1])
    return answers


@pytest.fixture(scope="module")
def found(said: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {backend: answer["mutants"] for backend, answer in said.items()}


@pytest.fixture(scope="module")
def architectures(said: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {backend: answer["architectures"] for backend, answer in said.items()}


def test_every_backend_changes_architectures_alike(architectures: dict[str, dict[str, Any]]) -> None:
    first = architectures[INSTALLED[0]]["found"]
    assert len({case["recipe"] for case in first.values()}) == len(first)
    for backend in INSTALLED:
        assert architectures[backend]["backend"] == backend
        for case, told in architectures[backend]["found"].items():
            assert told["print"] == first[case]["print"], (backend, case)
            assert told["recipe"] == first[case]["recipe"], (backend, case)
            assert told["saved"], (backend, case)
            assert told["largest"] == pytest.approx(first[case]["largest"], rel=1e-3), (backend, case)


def test_every_backend_keeps_the_function_in_float64(architectures: dict[str, dict[str, Any]]) -> None:
    for backend in INSTALLED:
        assert architectures[backend]["exact"], backend
        for case, told in architectures[backend]["found"].items():
            assert told["exact"], (backend, case)
            assert (told["change"] < 1e-9) == told["keeps"], (backend, case, told["change"])
        # comparing in float64 leaves the backend as it was
        assert architectures[backend]["result_type"] == ("float64" if backend == "tensorflow" else "float32")


def test_every_backend_gives_the_same_bytes(found: dict[str, dict[str, Any]]) -> None:
    first = found[INSTALLED[0]]
    for backend in INSTALLED:
        assert found[backend]["backend"] == backend
        assert found[backend]["prints"] == first["prints"]
        assert found[backend]["names"] == first["names"]
    assert len(set(first["prints"])) == len(first["prints"])


def test_a_torch_module_with_the_same_names_and_shapes_gets_the_same_bytes(found: dict[str, dict[str, Any]]) -> None:
    torch = pytest.importorskip("torch")
    from . import mutants

    base = torch.nn.Module()
    numbers = np.random.default_rng(3)
    types = {layer: kind for name, _, _, kind in found[INSTALLED[0]]["names"] for layer in [name.rpartition(".")[0]]}
    for name, shape, trainable, _ in found[INSTALLED[0]]["names"]:
        owner = base
        *path, attribute = name.split(".")
        for depth, part in enumerate(path):
            if not hasattr(owner, part):
                kind = types.get(".".join(path[: depth + 1]), "Holder")
                owner.add_module(part, type(kind, (torch.nn.Module,), {})())
            owner = getattr(owner, part)
        values = torch.tensor(numbers.normal(size=shape).astype(np.float32))
        if trainable:
            owner.register_parameter(attribute, torch.nn.Parameter(values))
        else:
            owner.register_buffer(attribute, values)
    prints = [gw.fingerprint(gw.mutate(base, operator, seed=i)) for i, operator in enumerate(mutants.OPERATORS)]
    assert prints == found[INSTALLED[0]]["prints"]
