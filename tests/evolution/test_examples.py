"""The scripts in examples/, run small: each gets better at what it says."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module


def test_every_script_is_tested() -> None:
    text = Path(__file__).read_text()
    assert [path.stem for path in EXAMPLES.glob("*.py") if f'example("{path.stem}")' not in text] == []


def test_cartpole(example: Any) -> None:
    pytest.importorskip("gymnasium")
    found = example("cartpole").solve(2, evaluations=60)
    assert found["unseen"] > 30  # an untrained policy: about 10
    assert 60 <= found["evaluations"] <= 80


# SWIG's types have no __module__, and torn out of its module's import, that warning ends the process.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_lunar_lander(example: Any) -> None:
    pytest.importorskip("gymnasium")
    pytest.importorskip("Box2D", reason="Box2D has no wheel for this Python")
    pytest.importorskip("pygame", reason="Gymnasium's Box2D environments import pygame")
    found = example("lunar_lander").solve(0, generations=1)
    assert found["evaluations"] == 1 + 64
    assert found["fitness"][1] > found["fitness"][0] + 10  # an idle lander crashes


def test_digits_front(example: Any) -> None:
    pytest.importorskip("pymoo")
    found = example("digits_front").main(["--generations", "3", "--population", "6"])
    sizes = [row["parameters"] for row in found["rows"]]
    assert len(set(sizes)) == len(sizes) >= 1
    assert max(row["evolved"] for row in found["rows"]) > 0.25  # chance: 10 %
    assert 0 < found["steps"] <= 40 * 3 * 6  # what cannot be narrowed further is refused
    assert found["kept"] == found["widened"] > 3  # a widened child begins where its parent was
    parent, born, child, nothing, _ = found["means"]
    assert child > born == parent > nothing


def test_corrupted_digits(example: Any) -> None:
    found = example("corrupted_digits").main(["--generations", "15", "--population", "10"])
    assert found["clean"] > 0.9
    assert found["before"] < 0.2  # negatives mean nothing to it
    assert found["loss"][1] < 0.9 * found["loss"][0]


def test_digits_archive(example: Any) -> None:
    pytest.importorskip("ribs")
    found = example("digits_archive").main(["--generations", "4", "--batch", "12"])
    assert found["cells"] >= 3
    assert found["good"] >= 1


def test_transformer_head(example: Any) -> None:
    found = example("transformer_head").main(["--generations", "8", "--population", "8"])
    assert found["loss"][1] < found["loss"][0]
    assert found["changed below the head"] == 0
