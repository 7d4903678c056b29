"""The demo: a real network trained, mutated over a grid, drawn, saved, replayed in a fresh process and undone.

It uses what every user of genewright can use: `import genewright as gw`, its noise and its pictures.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import genewright as gw
from genewright_demo.console import Console, Silent
from genewright_demo.folder import Folder
from genewright_demo.framework import framework_called, require_packages

if TYPE_CHECKING:
    from genewright_demo.program import Result

EPOCHS = 30


def run(
    out: str | Path = "genewright-demo",
    *,
    seed: int | str | bytes,
    framework: str = "torch",
    epochs: int = EPOCHS,
    force: bool = False,
    console: Console | None = None,
) -> Result:
    """Run the demo.

    Args:
        out: The folder for its files; those of an earlier demo are replaced.
        seed: Of the split, the training and the mutations.
        framework: "torch" or "keras"; Keras runs on the backend that KERAS_BACKEND names.
        epochs: How long it trains, at least 1.
        force: Write into a folder that holds other files too.
        console: Where it prints what it does; nowhere by default.

    Returns:
        What was measured and written.

    Raises:
        SettingError: There is no such framework, or no epoch.
        UnsupportedError: The framework, scikit-learn or matplotlib is missing.
        FileError: The folder cannot be used.
        FingerprintError: The replay or the undo gave other bytes.
    """
    if epochs < 1:
        raise gw.SettingError(f"demo: epochs must be an integer, at least 1; received {epochs!r}.")
    require_packages(framework)
    folder = Folder(Path(out), ".keras" if framework == "keras" else ".safetensors")
    folder.prepare(force=force)
    # Imported here, for it imports what `require_packages` has looked for.
    steps: Any = importlib.import_module("genewright_demo.program")
    result: Result = steps.run_demo(folder, framework_called(framework), seed, console or Silent(), epochs=epochs)
    return result
