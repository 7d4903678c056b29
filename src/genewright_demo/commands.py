"""The command line as the demo uses it: a replay in a process of its own, and the next commands to try."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import genewright as gw
from genewright_demo.folder import Folder
from genewright_demo.framework import Framework


def replay_in_a_fresh_process(recipe: Path, base: Sequence[str], mutant: Path, out: Path) -> str:
    """Make a mutant again with ``genewright replay`` in a process of its own, and compare the two files.

    Files of safetensors are compared byte by byte; others, which hold dates, by the bytes of all tensors.

    Args:
        recipe: The recipe's file.
        base: What names the base on the command line.
        mutant: The mutant's file.
        out: Where the replay goes.

    Returns:
        The fingerprint that the other process found.

    Raises:
        RecipeError: The replay was refused, or a byte differs.
    """
    words = ["replay", str(recipe), *base, "--out", str(out), "--force", "--json"]
    done = subprocess.run([sys.executable, "-m", "genewright", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise gw.RecipeError(f"genewright {' '.join(words)} failed: {done.stderr.strip()}")
    document: dict[str, Any] = json.loads(done.stdout)
    if mutant.suffix == ".safetensors":
        same = out.read_bytes() == mutant.read_bytes()
    else:
        same = gw.fingerprint(gw.read_checkpoint(out)) == gw.fingerprint(gw.read_checkpoint(mutant))
    if not same:
        raise gw.RecipeError(f"{out} and {mutant} differ.")
    return str(document["result"])


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
        f"survivors {shlex.quote(str(folder.mutants))}",
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
