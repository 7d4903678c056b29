"""Files that the command is asked to write: refused before any work is done."""

from __future__ import annotations

from pathlib import Path

from genewright.cli.usage import UsageError
from genewright.storage import refuse_existing

CHECKPOINTS = (".safetensors", ".pt", ".pth", ".keras", ".h5", ".hdf5")


def refuse_output(path: Path, *, force: bool, kinds: tuple[str, ...] = CHECKPOINTS) -> None:
    """Refuse a path that exists (without --force), that has no folder, or whose suffix names no known kind.

    Raises:
        UsageError: The suffix is of another kind.
        FileError: The path exists or has no folder.
    """
    if path.suffix.lower() not in kinds:
        raise UsageError(f"{path}: the name must end in {' or '.join(kinds)}, so that it says what is in it.")
    refuse_existing(path, overwrite=force)
