"""The pytest plug-in, in runs of pytest of its own: what passes, what fails and how; and that it is light."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]

PROGRAM = """
import numpy as np
import pytest
import torch
import genewright as gw

torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
data = torch.randn(60, 4), torch.randint(0, 3, (60,))


@gw.operator
def wandering(w):
    return w + np.random.rand(*w.shape)


def test_good(check_operator):
    assert check_operator(gw.SignFlip(rate=0.5), {"net": net}).fitted == ("net",)


def test_wandering(check_operator):
    check_operator(wandering, {"net": net})


@pytest.mark.mutation_score(seed=1, count=7)
def test_score(mutation_score):
    assert mutation_score(net, data, at_least=0.0).score().of > 0


@pytest.mark.mutation_score(at_least=1.0, seed=1, count=7)
def test_high_score(mutation_score):
    mutation_score(net, data)
"""


def run(*words: str, cwd: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=environment)
    return done.stdout + done.stderr


def test_operators_and_test_sets_are_checked(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(PROGRAM)
    said = run("-m", "pytest", "-p", "genewright_pytest", "--strict-markers", "-q", cwd=tmp_path)
    assert "2 failed, 2 passed" in said
    assert "Wandering breaks the invariant 'global random generators stay as they were'" in said
    assert "Draw from the `noise`" in said
    assert "genewright/conformance" not in said, "the library's own frames say nothing to the author"
    assert "The mutation score is" in said
    assert "below 100.0%" in said
    assert "test_mine.py::test_score: " in said.partition("mutation scores")[2]


def test_it_is_an_entry_point_and_imports_nothing_but_pytest(tmp_path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["entry-points"]["pytest11"] == {"genewright_pytest": "genewright_pytest"}
    heavy = ("genewright", "numpy", "torch", "keras")
    code = f"import sys, genewright_pytest; print([name for name in {heavy!r} if name in sys.modules])"
    assert run("-c", code, cwd=tmp_path).strip() == "[]"
