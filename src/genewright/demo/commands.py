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
        *_on_architecture(folder, framework, held_out),
        "operators",
    ]
    return [f"{command_name()} {line}" for line in words]


def _on_architecture(folder: Folder, framework: Framework, held_out: str) -> list[str]:
    base = " ".join(map(shlex.quote, base_words(folder.original, framework)))
    wider = shlex.quote(str(folder.path / f"wider{folder.grown.suffix}"))
    grown, model = shlex.quote(str(folder.grown)), f" --model {framework.factory}" if framework.factory else ""
    return [
        f"knobs {base}",
        f"mutate widen {base} --layer hidden --factor 2 --seed 1 --out {wider} --force",
        f"compare {wider} {grown}{model} --data {held_out} --tolerance 1e-4",
    ]


def base_words(original: Path, framework: Framework) -> list[str]:
    """Return what names the trained network on the command line, with an example, as a model that can run."""
    named = [framework.factory, "--weights", str(original)] if framework.factory else [str(original)]
    return [*named, "--example", framework.example]


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
