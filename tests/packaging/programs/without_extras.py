"""What the wheel does with no extras: import, the command, and operators on checkpoint files.

Run by the interpreter of a fresh environment: `python without_extras.py FOLDER`.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

import genewright as gw

ABSENT = ("torch", "keras", "tensorflow", "jax", "h5py", "sklearn", "matplotlib")
REFUSED = ("Reset",)
"""What needs to know more of a model than a file of tensors says."""


def command(*words: str, code: int = 0) -> str:
    """Run the installed command, and return what it printed."""
    script = Path(sys.executable).parent / "genewright"
    done = subprocess.run([str(script), *words], capture_output=True, text=True, check=False)
    assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def main(folder: Path) -> None:
    """Go through it."""
    assert "site-packages" in str(gw.__file__), f"{gw.__file__} is not the installed wheel"
    assert importlib.util.find_spec("numba") is not None, "pip install genewright brings the compiled noise"
    for name in ABSENT:
        assert importlib.util.find_spec(name) is None, f"{name} is installed here"
    assert gw.__version__ == importlib.metadata.version("genewright")
    assert "gaussian" in command("--help") + command("operators")

    numbers = np.random.default_rng(5)
    tensors = {
        "fc.weight": numbers.normal(size=(300, 1000)).astype(np.float32),
        "fc.bias": numbers.normal(size=300).astype(np.float16),
    }
    base, mutant, again = (str(folder / f"{name}.safetensors") for name in ("base", "mutant", "again"))
    save_file(tensors, base)
    settings = ("gaussian-noise", base, "--std", "0.5", "--rate", "0.3", "--seed", "246")
    assert "fc.weight" in command("plan", *settings)
    command("mutate", *settings, "--out", mutant)
    command("replay", mutant, base, "--out", again)
    command("diff", mutant, again)
    command("diff", base, mutant, code=1)

    inside = gw.mutate(gw.read_checkpoint(base), gw.GaussianNoise(std=0.5, rate=0.3), seed=246)
    assert gw.fingerprint(inside) == gw.fingerprint(gw.read_checkpoint(mutant))
    for name in ("SignFlip", "BitFlip", "Quantize", "Zero", "Shuffle", "SwapUnits", "Reset"):
        try:
            made = gw.mutate(gw.read_checkpoint(base), getattr(gw, name)(), seed=1)
        except gw.GenewrightError:
            assert name in REFUSED, name
            continue
        assert name not in REFUSED, name
        assert gw.fingerprint(gw.replay(gw.recipe(made), gw.read_checkpoint(base))) == gw.fingerprint(made), name
    print(json.dumps({"version": gw.__version__, "fingerprint": gw.fingerprint(inside)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
