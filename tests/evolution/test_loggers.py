"""Loggers: what they write is what the run was."""

from __future__ import annotations

import csv
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
