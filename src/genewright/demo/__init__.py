"""The demo: a real network trained, mutated over a grid, drawn, saved, replayed in a fresh process and undone."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genewright.demo.extras import FRAMEWORKS, require_extras
from genewright.demo.folder import Folder
from genewright.demo.tell import Silent, Tell
from genewright.seeding import Seed, canonical_seed
from genewright.settings import check_choice, check_integer

if TYPE_CHECKING:
    from genewright.demo.result import Result

EPOCHS = 30


def run(
    out: str | Path = "genewright-demo",
    *,
    seed: Seed,
    framework: str = "torch",
    epochs: int = EPOCHS,
    force: bool = False,
    tell: Tell | None = None,
) -> Result:
    """Run the demo.

    Args:
        out: The folder for its files; those of an earlier demo are replaced.
        seed: Of the split, the training and the mutations.
        framework: "torch" or "keras"; Keras runs on the backend that KERAS_BACKEND names.
        epochs: How long it trains, at least 1.
        force: Write into a folder that holds other files too.
        tell: Where it says what it does; nowhere by default.

    Returns:
        What was measured and written.

    Raises:
        SettingError: There is no such framework, or no epoch.
        UnsupportedError: The framework, scikit-learn or matplotlib is missing.
        FileError: The folder cannot be used.
        FingerprintError: The replay or the undo gave other bytes.
    """
    check_choice("demo", "framework", framework, FRAMEWORKS)
    check_integer("demo", "epochs", epochs, low=1)
    require_extras(framework)
    folder = Folder(Path(out), ".keras" if framework == "keras" else ".safetensors")
    folder.prepare(force=force)
    # Imported here, for it imports what `require_extras` has looked for.
    steps: Any = importlib.import_module("genewright.demo.program")
    chosen: Any = importlib.import_module("genewright.demo.framework").framework_called(framework)
    result: Result = steps.run_demo(folder, chosen, canonical_seed(seed), tell or Silent(), epochs=epochs)
    return result
