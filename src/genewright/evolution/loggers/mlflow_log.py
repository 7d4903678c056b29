"""A run as a run of MLflow."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from genewright.evolution.callbacks import Callback, Report
from genewright.evolution.loggers.identity import identity_of
from genewright.evolution.loggers.row import row_of
from genewright.extras import required

_TAG = "genewright.run"


class MLflowLog(Callback):
    """Write the numbers of `CSVLog` as metrics of an MLflow run, as the run goes on; the step is the generation.

    The MLflow run has the tag `genewright.run`: what the run is. The same run, resumed, goes on in it: generations that
    are written already are not written again, so a run whose fitness has other code now needs another experiment.
    Needs the extra `mlflow`.

    Args:
        uri: Where MLflow keeps runs, such as "http://localhost:5000"; None for what MLflow is set to. Databases
            ("sqlite:///runs.db") need the whole package `mlflow`.
        experiment: The experiment's name; it is made where there is none.

    Raises:
        MissingExtraError: mlflow is not installed.

    Example:
        >>> import genewright as gw
        >>> log = gw.MLflowLog("http://localhost:5000")
    """

    def __init__(self, uri: str | None = None, *, experiment: str = "genewright") -> None:
        tracking = required("mlflow.tracking", extra="mlflow", what="gw.MLflowLog")
        self._metric: Any = required("mlflow.entities", extra="mlflow", what="gw.MLflowLog").Metric
        self._client: Any = tracking.MlflowClient(tracking_uri=uri)
        self._experiment = experiment
        self._run: str | None = None
        self._written = 0

    def started(self, about: Mapping[str, Any]) -> None:
        found = self._client.get_experiment_by_name(self._experiment)
        home = self._client.create_experiment(self._experiment) if found is None else found.experiment_id
        identity, self._written = identity_of(about), 0
        runs = self._client.search_runs([home], filter_string=f"tags.`{_TAG}` = '{identity}'", max_results=1)
        if not runs:
            self._run = self._client.create_run(home, tags={_TAG: identity}).info.run_id
            return
        self._run = runs[0].info.run_id
        self._client.update_run(self._run, status="RUNNING")
        steps = [metric.step for metric in self._client.get_metric_history(self._run, "generation")]
        self._written = max(steps, default=0)

    def told(self, report: Report) -> None:
        if report.generation > self._written:
            now = int(time.time() * 1000)
            row = {name: value for name, value in row_of(report).items() if value is not None}
            metrics = [self._metric(name, float(value), now, report.generation) for name, value in row.items()]
            self._client.log_batch(self._run, metrics=metrics)

    def ended(self, reason: str) -> None:
        if self._run is not None:
            self._client.set_tag(self._run, "genewright.ended", reason)
            self._client.set_terminated(self._run)
            self._run = None
