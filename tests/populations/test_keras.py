"""gw.population on Keras's JAX backend, in a process of its own: Keras takes one backend a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("keras")
pytest.importorskip("jax")


@pytest.fixture(scope="module")
def answer() -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.populations.keras_on_jax"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "KERAS_BACKEND": "jax"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", ["dense", "recurrent", "looking"])
def test_individuals_are_those_of_mutate(answer: dict[str, Any], name: str) -> None:
    told = answer["found"][name]
    assert told["bytes"]
    assert told["moved"] > 0.01
    assert max([*told["off"], told["again"]]) < 2e-5
    assert told["fitness"]


def test_what_jax_cannot_compile_is_said(answer: dict[str, Any]) -> None:
    assert answer["logged"]
    assert all("Looking one after the other" in line for line in answer["logged"])


def test_bad_input_is_refused(answer: dict[str, Any]) -> None:
    memory, widen, each = answer["said"]
    assert memory.startswith("SettingError: memory=100 bytes is too little: one individual needs")
    assert widen.startswith("UnsupportedError: Widen cannot be batched")
    assert each.startswith("DataError: Each of 6 individuals needs a batch of its own")
