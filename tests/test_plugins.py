"""Packages of others that do not load: a warning in Python and on the command line, and everything else works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with an installed package whose import fails."""
    (tmp_path / "broken_operators.py").write_text("import package_that_is_not_there\n")
    info = tmp_path / "broken_operators-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-operators\nVersion: 1.0\n")
    groups = ("operators", "measures", "backends")
    (info / "entry_points.txt").write_text(
        "".join(f"[genewright.{group}]\ntorch = broken_operators\n" for group in groups)
    )
    return tmp_path


def run(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(site)])}
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, env=environment)


def test_a_broken_package_is_a_warning_in_python_and_the_rest_works(site: Path) -> None:
    done = run(
        site,
        "-W",
        "always",
        "-c",
        "import torch, genewright as gw\n"
        "net = {'weight': torch.ones(2, 3)}\n"
        "print(gw.mutate(net, gw.Zero(rate=1.0), seed=1)['weight'].sum().item())\n"
        "print(hasattr(gw, 'of_nobody'))\n"
        "try:\n    gw.mutate(net, 'theirs', seed=1)\nexcept gw.UnknownNameError as error:\n    print(error)\n",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["0.0", "False"]
    assert "It may be of a package that does not load: broken-operators (ModuleNotFoundError" in done.stdout
    assert "PluginWarning: The package 'broken-operators' does not load" in done.stderr


def test_a_broken_package_is_one_line_of_the_command(site: Path) -> None:
    done = run(site, "-m", "genewright", "operators")
    assert done.returncode == 0
    assert "gaussian-noise" in done.stdout
    assert done.stderr.startswith("warning: The package 'broken-operators' does not load")
    assert "pip uninstall broken-operators" in done.stderr
    assert len(done.stderr.splitlines()) == 1
