"""Loggers: what they write is what the run was."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import genewright as gw
from tests.evolution.problems import NOISE, evolved, loss, network


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_csv_file_has_a_row_a_generation(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    several = {"noise": NOISE, "zero": gw.Zero(rate=0.1)}
    run = evolved(mutation=several, adapt=True, callbacks=[gw.CSVLog(path)])
    rows = rows_of(path)
    told = run.generations()[1:]
    assert [int(row["generation"]) for row in rows] == [1, 2, 3, 4]
    assert [int(row["failed"]) for row in rows] == [one.failed for one in told]
    assert float(rows[-1]["best"]) == run.best.fitness
    assert [float(row["best"]) for row in rows] == sorted(float(row["best"]) for row in rows)
    assert int(rows[-1]["evaluations"]) == sum(one.individuals for one in run.generations())
    assert float(rows[-1]["odds/noise"]) + float(rows[-1]["odds/zero"]) == pytest.approx(1)


def test_a_csv_file_is_not_written_over_unasked(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    path.write_text("mine")
    with pytest.raises(gw.FileError, match="exists already"):
        evolved(callbacks=[gw.CSVLog(path)])
    assert path.read_text() == "mine"
    evolved(generations=1, callbacks=[gw.CSVLog(path, overwrite=True)])
    assert len(rows_of(path)) == 1


def test_a_resumed_run_writes_a_whole_file(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    evolved(generations=2, store=tmp_path / "run.db").close()
    log = gw.CSVLog(tmp_path / "run.csv")
    gw.resume(tmp_path / "run.db", model=network(), fitness=loss, generations=3, callbacks=[log]).close()
    assert [row["generation"] for row in rows_of(tmp_path / "run.csv")] == ["1", "2", "3"]


def cut_and_resumed(folder: Path, log: gw.Callback) -> list[int]:
    """Run two generations, then resume to four; both are told to `log`. Return the generations that there are."""
    pytest.importorskip("sqlalchemy")
    evolved(generations=2, store=folder / "run.db", callbacks=[log]).close()
    run = gw.resume(folder / "run.db", model=network(), fitness=loss, generations=4, callbacks=[log])
    numbers = [one.number for one in run.generations()[1:]]
    run.close()
    return numbers


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TensorBoard's own
def test_tensorboard_has_each_generation_of_a_resumed_run_once(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    numbers = cut_and_resumed(tmp_path, gw.TensorBoardLog(tmp_path / "logs"))
    (folder,) = (tmp_path / "logs").iterdir()
    events = EventAccumulator(str(folder)).Reload()
    assert [event.step for event in events.Tensors("best")] == numbers == [1, 2, 3, 4]
    assert [event.tensor_proto.float_val[0] for event in events.Tensors("generation")] == [1, 2, 3, 4]


@pytest.mark.filterwarnings("ignore")  # MLflow's own
def test_mlflow_has_each_generation_of_a_resumed_run_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracking = pytest.importorskip("mlflow.tracking")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # the skinny package has no other store without a server
    uri = (tmp_path / "runs").as_uri()
    numbers = cut_and_resumed(tmp_path, gw.MLflowLog(uri, experiment="mine"))
    client = tracking.MlflowClient(tracking_uri=uri)
    (run,) = client.search_runs([client.get_experiment_by_name("mine").experiment_id])
    assert sorted(metric.step for metric in client.get_metric_history(run.info.run_id, "best")) == numbers
    assert run.info.status == "FINISHED"
    assert run.data.metrics["generation"] == 4


@pytest.mark.filterwarnings("ignore")  # wandb's own
def test_wandb_is_told_the_last_generation(tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    seen: list[tuple[float, float]] = []

    class Watched(gw.WandbLog):
        def told(self, report: gw.Report) -> None:
            super().told(report)
            seen.append((self._run.summary["generation"], self._run.summary["best"]))

    run = evolved(generations=2, callbacks=[Watched("mine", mode="offline", dir=tmp_path)])
    assert [generation for generation, _ in seen] == [1, 2]
    assert seen[-1][1] == run.best.fitness
    assert list(tmp_path.glob("wandb/offline-run-*/*.wandb"))


@pytest.mark.parametrize(
    ("log", "module", "extra"),
    [
        (lambda: gw.TensorBoardLog("logs"), "tensorboard.summary", "tensorboard"),
        (lambda: gw.MLflowLog(), "mlflow.tracking", "mlflow"),
        (lambda: gw.WandbLog(), "wandb", "wandb"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(
    log: Callable[[], gw.Callback], module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(gw.MissingExtraError, match=rf"genewright\[{extra}\]"):
        log()
