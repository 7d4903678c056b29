"""What the file of a run says of logs: which are written as the run goes on, and where to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from genewright.cli.arguments import UsageError
from genewright.cli.run_choices import made
from genewright.evolution.callbacks import Callback
from genewright.evolution.loggers.csv_log import CSVLog
from genewright.evolution.loggers.mlflow_log import MLflowLog
from genewright.evolution.loggers.tensorboard_log import TensorBoardLog
from genewright.evolution.loggers.wandb_log import WandbLog
from genewright.names import did_you_mean

# Each with the setting that may be said alone: csv = "run.csv".
_LOGGERS: dict[str, tuple[Callable[..., Callback], str]] = {
    "csv": (CSVLog, "path"),
    "tensorboard": (TensorBoardLog, "folder"),
    "mlflow": (MLflowLog, "uri"),
    "wandb": (WandbLog, "project"),
}


def loggers_of(said: Any, *, overwrite: bool) -> list[Callback]:
    """Return the loggers of a table: ``csv = "run.csv"``, ``wandb = {project = "mine", mode = "offline"}``.

    Args:
        said: The table, None for no logger.
        overwrite: Whether a CSV file that is there already may be replaced, where the table does not say it.

    Raises:
        UsageError: There is no such logger, or a setting is unknown or missing.
        MissingExtraError: Its library is not installed.
    """
    entries = cast("Mapping[str, Any]", {} if said is None else said)
    for name in entries:
        if name not in _LOGGERS:
            raise UsageError(f"loggers: there is none called {name!r}. {did_you_mean(name, _LOGGERS)}")
    return [_logger(name, setting, overwrite=overwrite) for name, setting in entries.items()]


def _logger(name: str, said: Any, *, overwrite: bool) -> Callback:
    logger, alone = _LOGGERS[name]
    if not isinstance(said, str | Mapping):
        raise UsageError(
            f'loggers.{name} is a text or a table of settings, such as {name} = {{{alone} = "..."}}; received {said!r}.'
        )
    settings = {alone: said} if isinstance(said, str) else dict(cast("Mapping[str, Any]", said))
    return made(logger, {"overwrite": overwrite, **settings} if name == "csv" else settings)
