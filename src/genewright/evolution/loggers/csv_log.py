"""A run as a CSV file."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genewright.errors import FileError
from genewright.evolution.callbacks import Callback, Report
from genewright.evolution.loggers.row import row_of
from genewright.storage import refuse_existing


class CSVLog(Callback):
    """Write one row a generation into a CSV file, as the run goes on.

    The columns are generation, evaluations, best, median, failed and seconds, and the odds of each mutation where there
    are several. A number that there is not (no fitness) is an empty cell. A resumed run tells its generations again
    from the first, so its file is whole.

    Args:
        path: The file.
        overwrite: Whether an old file may be replaced.

    Raises:
        FileError: When the run starts: the file exists, or cannot be written.

    Example:
        >>> import pathlib, tempfile, torch, genewright as gw
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "run.csv"
        >>> run = gw.evolve(torch.nn.Linear(2, 1), lambda model: 1.0, mutation=gw.Zero(rate=0.1), generations=2, seed=1,
        ...     strategy=gw.HillClimb(), callbacks=[gw.CSVLog(path)])
        >>> path.read_text().splitlines()[0]
        'generation,evaluations,best,median,failed,seconds'
    """

    def __init__(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        self._path = Path(path)
        self._overwrite = overwrite
        self._columns: tuple[str, ...] = ()

    def started(self, about: Mapping[str, Any]) -> None:
        refuse_existing(self._path, overwrite=self._overwrite)
        self._columns = ()

    def told(self, report: Report) -> None:
        row = row_of(report)
        try:
            with self._path.open("a" if self._columns else "w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                if not self._columns:
                    self._columns = tuple(row)
                    writer.writerow(self._columns)
                writer.writerow(["" if row[name] is None else row[name] for name in self._columns])
        except OSError as error:
            raise FileError(f"{self._path}: cannot be written ({error.strerror}).") from error
