"""Writing a matplotlib figure to a file, atomically."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genewright.storage import write_atomically

_DOTS_PER_INCH = 130


def write_picture(figure: Any, path: Path) -> None:
    """Write a figure as a PNG file; an old file is replaced.

    Raises:
        FileError: It cannot be written.
    """
    write_atomically(
        path, lambda temporary: figure.savefig(temporary, format="png", dpi=_DOTS_PER_INCH), overwrite=True
    )
