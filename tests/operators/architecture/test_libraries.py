"""A fast part of the coverage benchmark, where the libraries are at hand."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[3] / "benchmarks" / "architecture"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("library", "name"),
    [("timm", "test_mambaout"), pytest.param("torchvision", "shufflenet_v2_x0_5", marks=pytest.mark.slow)],
)
def test_widths_of_real_models_are_kept(library: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    monkeypatch.syspath_prepend(str(FOLDER))
    width: Any = sys.modules.get("coverage_of_widths")
    if width is None:
        spec = importlib.util.spec_from_file_location("coverage_of_widths", FOLDER / "width.py")
        assert spec is not None
        assert spec.loader is not None
        width = importlib.util.module_from_spec(spec)
        sys.modules["coverage_of_widths"] = width
        spec.loader.exec_module(width)
    case = next(case for case in width.zoo.CASES[library]() if case.name == name)
    row = width.run(case, 2, ["split", "silent"], False)
    assert row["results"], row
    assert all(result.get("wrong") is False and result["back"] is True for result in row["results"]), row
