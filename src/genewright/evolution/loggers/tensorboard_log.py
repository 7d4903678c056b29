"""A run as a log of TensorBoard."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genewright.evolution.callbacks import Callback, Report
from genewright.evolution.loggers.identity import identity_of
from genewright.evolution.loggers.row import row_of
from genewright.extras import required


class TensorBoardLog(Callback):
    """Write the numbers of `CSVLog` as scalars of TensorBoard, as the run goes on; the step is the generation.

    A run has a folder of its own in the one given, named after what the run is. The same run, resumed, goes on there:
    what is written already is not written again, so a run whose fitness has other code now needs another folder.
    Needs the extra `tensorboard`.

    Args:
        folder: What `tensorboard --logdir` is given; it is made where there is none.

    Raises:
        MissingExtraError: tensorboard is not installed.

    Example:
        >>> import genewright as gw
        >>> log = gw.TensorBoardLog("logs")
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        self._summary = required("tensorboard.summary", extra="tensorboard", what="gw.TensorBoardLog")
        self._writer: Any = None
        self._written: dict[str, int] = {}

    def started(self, about: Mapping[str, Any]) -> None:
        folder = self._folder / identity_of(about)
        self._written = _last_steps(folder) if folder.exists() else {}
        self._writer = self._summary.Writer(str(folder))

    def told(self, report: Report) -> None:
        for name, value in row_of(report).items():
            # By name: a run that was killed may have written a part of its last generation.
            if value is not None and report.generation > self._written.get(name, 0):
                self._writer.add_scalar(name, value, report.generation)
        self._writer.flush()

    def ended(self, reason: str) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _last_steps(folder: Path) -> dict[str, int]:
    reading = required(
        "tensorboard.backend.event_processing.event_accumulator", extra="tensorboard", what="gw.TensorBoardLog"
    )
    events = reading.EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    return {name: max(event.step for event in events.Tensors(name)) for name in events.Tags()["tensors"]}
