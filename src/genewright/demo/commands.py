"""The next commands to try, as they work when pasted."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from genewright.demo.folder import Folder
from genewright.demo.framework import Framework


def next_commands(folder: Folder, framework: Framework) -> list[str]:
    """Return commands for the files in `folder`."""
    original, mutant, held_out = (shlex.quote(str(p)) for p in (folder.original, folder.mutant, folder.held_out))
    flipped = shlex.quote(str(folder.path / f"flipped{folder.mutant.suffix}"))
    model = f" --model {framework.factory}" if framework.factory else ""
    words = [
        f"show {mutant}",
        f"diff {original} {mutant}",
        f"compare {original} {mutant}{model} --data {held_out}",
        f"mutate sign-flip {original} --rate 0.01 --seed 1 --out {flipped} --force",
        f"compare {original} {flipped}{model} --data {held_out}",
        "operators",
    ]
    return [f"{command_name()} {line}" for line in words]


def command_name() -> str:
    """Return how the command of this environment is called from here: its path, where the shell would not find it."""
    beside = Path(sys.executable).parent / "genewright"
    found = shutil.which("genewright")
    if found is not None and Path(found).resolve() == beside.resolve():
        return "genewright"
    if not beside.exists():
        return f"{shlex.quote(sys.executable)} -m genewright"
    here = Path.cwd()
    return shlex.quote(str(beside.relative_to(here) if beside.is_relative_to(here) else beside))
