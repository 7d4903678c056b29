"""A run as a run of Weights & Biases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genewright.evolution.callbacks import Callback, Report
from genewright.evolution.loggers.identity import identity_of
from genewright.evolution.loggers.row import row_of
from genewright.extras import required


class WandbLog(Callback):
    """Write the numbers of `CSVLog` into a run of Weights & Biases, as the run goes on; the step is the generation.

    Its id is what the run is, and its config the run's settings. The same run, resumed, goes on in it: steps that the
    server has are not sent again. Offline, a resumed run is told again from the first generation. Needs the extra
    `wandb`.

    Args:
        project: The project's name.
        settings: What else `wandb.init` takes, such as mode="offline", dir="logs" or name="first".

    Raises:
        MissingExtraError: wandb is not installed.

    Example:
        >>> import genewright as gw
        >>> log = gw.WandbLog("genewright", mode="offline")
    """

    def __init__(self, project: str = "genewright", **settings: Any) -> None:
        self._wandb = required("wandb", extra="wandb", what="gw.WandbLog")
        self._settings: dict[str, Any] = {"resume": "allow", **settings, "project": project}
        self._run: Any = None

    def started(self, about: Mapping[str, Any]) -> None:
        given: dict[str, Any] = {"id": identity_of(about), "config": dict(about), **self._settings}
        if given.get("mode") == "offline":
            given.pop("resume")  # offline there is nothing to go on with, and wandb warns of it
        self._run = self._wandb.init(**given)

    def told(self, report: Report) -> None:
        if report.generation >= self._run.step:  # of a resumed run: the first step that the server does not have
            row = {name: value for name, value in row_of(report).items() if value is not None}
            self._run.log(row, step=report.generation, commit=True)  # else a kill would lose the last

    def ended(self, reason: str) -> None:
        if self._run is not None:
            self._run.summary["ended"] = reason
            self._run.finish()
            self._run = None
