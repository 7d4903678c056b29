"""Environments of their own for the libraries that we are measured beside."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / ".venv-peers"
NEEDS = {
    "evotorch": ("evotorch==0.6.1", "torch==2.13.0", "gymnasium==1.4.0"),
    "pygad": ("pygad==3.9.2", "torch==2.13.0", "gymnasium==1.4.0"),
    "evox": ("evox==1.4.0", "torch==2.13.0"),
    "evosax": ("evosax==0.3.2", "jax==0.10.2", "optax==0.2.8"),
}


def environment(folder: Path, name: str) -> Path:
    """Return the Python of a library's own environment, which is made where there is none."""
    python = folder / name / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder / name)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *NEEDS[name]], check=True)
    return python
