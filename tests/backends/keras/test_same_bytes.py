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

SCRIPT = Path(__file__).with_name("mutants.py")


def mutants_on(backend: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "KERAS_BACKEND": backend},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, Any]]:
    return {backend: mutants_on(backend) for backend in INSTALLED}


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
