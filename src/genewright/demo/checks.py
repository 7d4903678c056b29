"""The two proofs of the demo: a replay in a fresh process, and an undo."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genewright.backends.files import read_checkpoint
from genewright.errors import RecipeError
from genewright.mutate import fingerprint, mutated
from genewright.operator import Operator
from genewright.seeding import Seed


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
        raise RecipeError(f"genewright {' '.join(words)} failed: {done.stderr.strip()}")
    said: dict[str, Any] = json.loads(done.stdout)
    if mutant.suffix == ".safetensors":
        same = out.read_bytes() == mutant.read_bytes()
    else:
        same = fingerprint(read_checkpoint(out)) == fingerprint(read_checkpoint(mutant))
    if not same:
        raise RecipeError(f"{out} and {mutant} differ.")
    return str(said["result"])


def undo(model: Any, operator: Operator, seed: Seed) -> tuple[str, str, str]:
    """Mutate the model in place for a moment.

    Returns:
        Its fingerprints before, meanwhile and afterwards.
    """
    before = fingerprint(model)
    with mutated(model, operator, seed=seed):
        meanwhile = fingerprint(model)
    return before, meanwhile, fingerprint(model)
