"""The coverage page shows what was measured, and nothing that was measured is wrong."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "benchmarks" / "architecture"


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("table")


def test_the_page_has_the_tables_of_the_stored_results(table: Any) -> None:
    page = (ROOT / "docs" / "coverage.md").read_text()
    assert table.rendered(page) == page, "run benchmarks/architecture/table.py"


def test_no_stored_result_is_wrong_and_the_goals_are_reached(table: Any) -> None:
    goals = {"torchvision": 0.95, "timm": 0.85, "transformers": 0.60}
    rows = [row for row in table.unit_rows("width") if "results" in row]
    assert not [row["name"] for row in rows for result in row["results"] if result.get("wrong")]
    for library, goal in goals.items():
        mine = [row for row in rows if row["library"] == library]
        kept = [row for row in mine if any(result.get("wrong") is False for result in row["results"])]
        assert len(kept) >= goal * len(mine) > 0


def test_a_wrong_result_would_show(table: Any) -> None:
    row = {"library": "timm", "name": "a", "results": [{"wrong": True, "change": 1.0, "single": True}]}
    assert any(line.endswith("| 0 of 1 | 0 | 0 | 1 |") for line in table.TABLES["width"]([row]))


def test_no_stored_result_of_depth_is_wrong_and_blocks_are_deepened(table: Any) -> None:
    rows = [row for row in table.unit_rows("depth") if "verdicts" in row]
    assert not [
        row["name"] for row in rows for said in row["verdicts"].values() if not said.startswith(("kept", "ref"))
    ]
    for library in ("torchvision", "timm", "transformers"):
        blocks = [row for row in rows if row["library"] == library and row["residual"]]
        assert blocks
        copied = [row for row in blocks if row["verdicts"]["DuplicateBlock"].startswith("kept")]
        assert len(copied) >= 0.9 * len(blocks)


def test_no_stored_result_of_the_ends_is_wrong_and_the_goals_are_reached(table: Any) -> None:
    rows = table.unit_rows("ends")
    assert not [row["name"] for row in rows for said in row["ends"].values() if "WRONG" in said]
    for end, goal in {"classes": 0.95, "labels": 0.95, "channels": 0.9, "vocabulary": 0.9}.items():
        said = [row["ends"][end] for row in rows if row["ends"].get(end, "none") != "none"]
        assert sum(verdict.startswith("kept") for verdict in said) >= goal * len(said) > 0, end


def test_a_wrong_end_would_show(table: Any) -> None:
    ends = {"classes": "WRONG: the outputs change by 0.1", "channels": "kept: 0; WRONG: other bytes after shrinking"}
    made = table.TABLES["ends"]([{"library": "timm", "name": "a", "ends": ends}])
    assert any(line.endswith("| 0 of 1 | - | 0 of 1 | - | 2 |") for line in made)
