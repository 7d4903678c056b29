"""The kernels are kept as machine code that needs neither Numba nor anything else to run."""

from __future__ import annotations

import os
import subprocess
import sys
import types
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

pytest.importorskip("numba")

import llvmlite

from genewright.machine_code import library
from genewright.noise.compiled import machine_code

_PROGRAM = """
import sys
import numpy as np
from genewright import noise

values = np.ones(300_000, np.float32)
noise.apply(values, noise.Change(combine="add"), noise.derive(1, name="w", path="0"), dtype="float32")
print("genewright.noise.compiled.backend" in sys.modules, "numba" in sys.modules, float(values.sum()))
"""


def _run(cache: Path) -> tuple[list[str], str]:
    environment = os.environ | {"GENEWRIGHT_CACHE": str(cache)}
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True, env=environment)
    return done.stdout.split(), done.stderr


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which a process has compiled."""
    folder = tmp_path_factory.mktemp("kernels") / "made"
    answer, _ = _run(folder)
    assert answer[:2] == ["True", "True"]
    return folder


def test_a_process_compiles_once_and_later_ones_do_not_import_numba(cache: Path) -> None:
    (kept,) = cache.iterdir()
    answer, said = _run(cache)
    assert answer[:2] == ["True", "False"]
    assert said == ""
    assert list(cache.iterdir()) == [kept]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda whole: whole[: len(whole) // 2],
    "flipped": lambda whole: whole[:500] + bytes([whole[500] ^ 1]) + whole[501:],
    "empty": lambda whole: b"",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_not_taken(cache: Path, damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (made,) = cache.iterdir()
    monkeypatch.setenv("GENEWRIGHT_CACHE", str(tmp_path))
    kernel, copied = made.name.rpartition("-")[0], tmp_path / made.name
    copied.write_bytes(made.read_bytes())
    assert machine_code.LIBRARY.read(kernel)
    copied.write_bytes(DAMAGES[damage](made.read_bytes()))
    assert machine_code.LIBRARY.read(kernel) is None


@pytest.mark.parametrize("damage", ["cut", *(pytest.param(d, marks=pytest.mark.slow) for d in ("flipped", "empty"))])
def test_a_damaged_file_is_made_anew(cache: Path, damage: str) -> None:
    (kept,) = cache.iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(DAMAGES[damage](whole))
    answer, _ = _run(cache)
    assert answer[:2] == ["True", "True"]
    assert kept.read_bytes() == whole


def test_compiling_leaves_the_warnings_of_other_threads_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba records warnings at every step of its typing: by itself it would replace the filters of the process."""
    import_module("scipy.linalg")  # Numba asks for it, and its import filters a warning
    noted: list[str] = []

    class Noted(types.ModuleType):
        def __setattr__(self, name: str, value: object) -> None:
            noted.append(name)
            super().__setattr__(name, value)

    monkeypatch.setenv("GENEWRIGHT_CACHE", str(tmp_path))
    monkeypatch.setattr(warnings, "__class__", Noted)
    assert machine_code.LIBRARY._compile("places")
    assert noted == []


def test_a_folder_that_cannot_be_written_is_said_and_the_work_is_done(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    answer, said = _run(tmp_path / "file")
    assert answer == ["True", "True", _run(cache)[0][2]]
    assert "GENEWRIGHT_CACHE" in said


def test_another_processor_or_compiler_has_another_file(monkeypatch: pytest.MonkeyPatch) -> None:
    here = machine_code.LIBRARY.stamp()
    monkeypatch.setattr(library, "processor", lambda: ("x86_64-linux-gnu", "generic", ""))
    assert machine_code.LIBRARY.stamp() != here
    monkeypatch.undo()
    monkeypatch.setattr(llvmlite, "__version__", "0.0")
    assert machine_code.LIBRARY.stamp() != here
