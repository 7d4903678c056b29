"""The two proofs of the demo: a replay in a fresh process, and an undo."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from genewright.backends.files import read_checkpoint
from genewright.demo.folder import Folder
from genewright.errors import RecipeError
from genewright.mutate import fingerprint, mutated
from genewright.operator import Operator
from genewright.seeding import Seed


def replay_in_a_fresh_process(folder: Folder) -> str:
    """Make the mutant again with ``genewright replay`` in a process of its own, and compare the two files.

    Files of safetensors are compared byte by byte; others, which hold dates, by the bytes of all tensors.

    Returns:
        The fingerprint that the other process found.

    Raises:
        RecipeError: The replay was refused, or a byte differs.
    """
    words = ["replay", str(folder.recipe), str(folder.original), "--out", str(folder.replayed), "--force", "--json"]
    done = subprocess.run([sys.executable, "-m", "genewright", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RecipeError(f"genewright {' '.join(words)} failed: {done.stderr.strip()}")
    said: dict[str, Any] = json.loads(done.stdout)
    files = folder.replayed, folder.mutant
    if folder.mutant.suffix == ".safetensors":
        same = files[0].read_bytes() == files[1].read_bytes()
    else:
        same = fingerprint(read_checkpoint(files[0])) == fingerprint(read_checkpoint(files[1]))
    if not same:
        raise RecipeError(f"{folder.replayed} and {folder.mutant} differ.")
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
