"""Operators in a Python file of the user's: mutated with, listed, replayed, and refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import genewright as gw
from genewright.cli import main

SOURCE = """
import genewright as gw
import lies_beside


@gw.operator
def halving(w, noise, *, factor=lies_beside.FACTOR):
    \"\"\"Multiply by a factor.\"\"\"
    return w * factor
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("lies_beside.py").write_text("FACTOR = 0.5\n")
    Path("mine.py").write_text(SOURCE)
    torch.save({"weight": torch.ones(2, 3)}, "net.pt")
    return tmp_path


@pytest.mark.parametrize("word", ["./mine.py:Halving", "mine.py:halving", "./mine.py"])
def test_a_file_of_ones_own_is_an_operator(folder: Path, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mutate", word, "net.pt", "--factor", "0.25", "--seed", "1", "--out", "mutant.pt"]) == 0
    assert torch.equal(torch.load("mutant.pt")["weight"], torch.full((2, 3), 0.25))
    assert main(["operators", word]) == 0
    assert "Multiply by a factor." in capsys.readouterr().out


def test_a_recipe_replays_where_the_file_is_loaded(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["mutate", "mine.py", "net.pt", "--seed", "1", "--out", "mutant.pt", "--recipe", "mutant.json"]
    assert main(words) == 0
    assert main(["--load", "mine.py", "replay", "mutant.json", "net.pt", "--out", "again.pt"]) == 0
    assert gw.fingerprint(gw.read_checkpoint("again.pt")) == gw.fingerprint(gw.read_checkpoint("mutant.pt"))
    text = Path("mutant.json").read_text().replace('"halving@1"', '"of_nobody@1"')
    Path("mutant.json").write_text(text)
    assert main(["replay", "mutant.json", "net.pt", "--out", "third.pt"]) == 1
    assert "genewright --load FILE.py" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "source", "message"),
    [
        (
            "mine.py:nothing",
            SOURCE,
            "no operator 'nothing'. Did you mean 'halving'? It has mine.py:Halving.",
        ),
        ("absent.py:Shrink", "", "there is no such file"),
        ("empty.py:Shrink", "x = 1", "It has none: derive gw.Operator, or decorate"),
        ("failing.py", "\n\n1 / 0", "failing.py:3: the file fails: ZeroDivisionError"),
    ],
)
def test_what_a_file_has_not_is_refused_by_name(
    folder: Path, word: str, source: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if source:
        Path(word.partition(":")[0]).write_text(source)
    assert main(["mutate", word, "net.pt", "--seed", "1", "--out", "mutant.pt"]) != 0
    assert message in capsys.readouterr().err
