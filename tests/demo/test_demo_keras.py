"""One real run of the demo with Keras, through the command."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import genewright as gw

_BACKEND = next((name for name in ("tensorflow", "torch", "jax") if importlib.util.find_spec(name)), "")

pytestmark = pytest.mark.skipif(
    not _BACKEND or importlib.util.find_spec("keras") is None, reason="Keras is not installed here"
)


ENVIRONMENT = {"KERAS_BACKEND": _BACKEND, **os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}


def _demo(folder: Path, *words: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "genewright", "demo", "--framework", "keras", "--json", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_the_demo_trains_mutates_replays_and_undoes(tmp_path: Path) -> None:
    report = _demo(tmp_path, "--epochs", "8")
    assert report["accuracy"] > 0.9
    assert report["replayed"] == report["mutant"] != report["original"] == report["undone"]
    folder = tmp_path / "genewright-demo"
    assert gw.fingerprint(gw.read_checkpoint(folder / "mutant.keras")) == report["mutant"]
    stages = {stage["name"]: stage for stage in report["stages"]}
    assert stages["narrow again"]["relative_error"] == 0
    assert 0 < stages["wider and deeper"]["relative_error"] < 1e-5 < stages["wider, the plain way"]["relative_error"]
    assert report["regrown"] == report["grown"] == gw.fingerprint(gw.read_checkpoint(folder / "grown.keras"))
    for picture in ("grid.png", "weights.png", "growth.png"):
        assert (folder / picture).read_bytes()[:4] == b"\x89PNG"


@pytest.mark.slow
def test_the_whole_demo_trains_a_good_network_and_its_commands_work(tmp_path: Path) -> None:
    report = _demo(tmp_path)
    assert report["accuracy"] > 0.96
    assert len(report["commands"]) > 4
    for line in report["commands"]:
        words = [sys.executable, "-m", "genewright", *shlex.split(line)[-len(shlex.split(line)) + _prefix(line) :]]
        tried = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False, env=ENVIRONMENT)
        assert tried.returncode in ((0, 1) if " diff " in line or " compare " in line else (0,)), (line, tried.stderr)
        assert "Traceback" not in tried.stderr


def _prefix(line: str) -> int:
    """Return how many words call the command: its path, or python -m genewright."""
    return 3 if " -m genewright " in line else 1


def test_an_unknown_framework_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "genewright", "demo", "--framework", "kera", "--out", str(tmp_path / "d")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Did you mean 'keras'?" in done.stderr
