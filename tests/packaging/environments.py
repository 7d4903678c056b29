"""Fresh virtual environments with the built wheel in them, as a user's `pip install` makes them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".venv-matrix"
"""Where the environments lie; `make clean` removes it."""


class UnavailableError(Exception):
    """What a leg needs cannot be had on this machine; says what and why."""


class LegError(Exception):
    """A command of a leg failed; holds the end of what it printed."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment.

    Attributes:
        folder: Where it lies.
    """

    folder: Path

    @property
    def python(self) -> Path:
        """Return its interpreter."""
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def install(self, *words: str) -> None:
        """Install with pip.

        Raises:
            UnavailableError: No index that this machine reaches has it.
            LegError: It could not be installed.
        """
        command = [str(self.python), "-m", "pip", "--disable-pip-version-check", "-q", "install", *words]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            missing = re.findall(r"No matching distribution found for (\S+)", done.stderr)
            raise (UnavailableError(f"pip finds no {missing[0]}") if missing else LegError(done.stderr[-2000:]))

    def run(self, *words: str, cwd: Path = ROOT) -> str:
        """Run Python in it, on the installed wheel and without this environment's paths, and return what it printed.

        Raises:
            LegError: It exited with an error.
        """
        kept = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "PYTHONHOME", "KERAS_BACKEND"}}
        environment = kept | {"PATH": f"{self.python.parent}{os.pathsep}{kept['PATH']}"}
        command = [str(self.python), *words]
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=environment)
        if done.returncode:
            raise LegError(f"{(done.stdout + done.stderr)[-4000:].rstrip()}\nexit code {done.returncode}")
        return done.stdout


def build_sdist_and_wheel(folder: Path) -> tuple[Path, Path]:
    """Build the sdist of this repository into a folder, and the wheel from that sdist; return both.

    Raises:
        LegError: Either could not be built.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("*.whl"), *folder.glob("*.tar.gz")):
        old.unlink()
    command = [sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LegError((done.stdout + done.stderr)[-2000:])
    return next(folder.glob("*.tar.gz")), next(folder.glob("*.whl"))


def build_wheel(folder: Path) -> Path:
    """Build the wheel into a folder, by way of the sdist, and return it."""
    return build_sdist_and_wheel(folder)[1]


def fresh(name: str, python: Path | str = sys.executable) -> Environment:
    """Make an empty environment; one that is there already is removed."""
    folder = HOME / name
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([str(python), "-m", "venv", str(folder)], check=True, capture_output=True)
    return Environment(folder)


def kept(name: str, wheel: Path) -> Environment:
    """Return an environment with a wheel and what it needs, made anew only where that has changed."""
    environment = Environment(HOME / name)
    stamp = environment.folder / "stamp"
    needed = (ROOT / "pyproject.toml").read_text() + sys.version
    if not stamp.exists() or stamp.read_text() != needed:
        environment = fresh(name)
        environment.install(str(wheel))
        stamp.write_text(needed)
    environment.install("--force-reinstall", "--no-deps", str(wheel))
    return environment


def interpreter(version: str) -> Path:
    """Return an interpreter of a version such as "3.12": on the path, or one of pyenv's.

    Raises:
        UnavailableError: There is none.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = [shutil.which(f"python{version}"), *sorted(pyenv.glob(f"versions/{version}.*/bin/python"))]
    asks = "import sys, ssl, venv; print('%d.%d' % sys.version_info[:2])"
    for python in found:
        if python is None:
            continue
        # A shim of pyenv is on the path for versions that are not switched on, and fails when it is called.
        done = subprocess.run([str(python), "-c", asks], capture_output=True, text=True, check=False)
        if done.stdout.strip() == version:
            return Path(python)
    raise UnavailableError(f"no interpreter of Python {version} on the path or among pyenv's")


def oldest(*extras: str) -> list[str]:
    """Return the oldest releases that pyproject.toml allows, as pins: "numpy==1.26"."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed: Sequence[str] = [
        *project["dependencies"],
        *(line for extra in extras for line in project["optional-dependencies"][extra]),
    ]
    return list(dict.fromkeys(line.partition(";")[0].replace(">=", "==") for line in listed))


if __name__ == "__main__":
    for path in build_sdist_and_wheel(ROOT / sys.argv[1]):
        print(path.relative_to(ROOT), f"{path.stat().st_size / 1e6:.2f} MB")
