from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Run

import genewright as gw

NET = ("neurons", "users_models:Net", "held_out.npz", "--weights", "net.pt")


def test_the_table_is_printed_and_the_picture_written(genewright: Run, folder: Path) -> None:
    said = genewright(*NET, "--out", "neurons.svg", "--batch-size", "7")
    assert said.code == 0, said.err
    assert "18 units of 3 layers, 30 samples" in said.out
    assert ET.fromstring((folder / "neurons.svg").read_text()).tag.endswith("svg")
    assert genewright(*NET, "--out", "neurons.svg").code == 1  # it exists
    assert genewright(*NET, "--out", "neurons.png").code == 2


def test_json_has_what_the_library_measures(genewright: Run) -> None:
    form = genewright(*NET, "--measure", "taylor", "--measure", "mean", "--loss", "cross_entropy", "--json").json()
    from users_models import Net

    held = np.load("held_out.npz")
    table = gw.neurons.measure(
        gw.load(Net, "net.pt"), (held["X"], held["y"]), measures=["taylor", "mean"], loss="cross_entropy"
    )
    assert [row["taylor"] for row in form["units"]] == table["taylor"].tolist()
    assert form["samples"] == 30
    assert [layer["seen"] for layer in form["layers"]] == ["as it is"] * 3


def test_units_are_filtered_and_sorted(genewright: Run) -> None:
    options = ("--where", "0", "--filter", "unit > 0", "--by", "dormancy", "--json")
    units = genewright(*NET, *options).json()["units"]
    values = [row["dormancy"] for row in units]
    assert len(units) == 3
    assert values == sorted(values)
    assert {row["layer"] for row in units} == {"0"}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--measure", "dormant"), 1, "Did you mean 'dormancy'"),
        (("--measure", "taylor"), 1, "loss="),
        (("--filter", "dormancy <"), 1, "cannot read the condition"),
        (("--by", "taylor"), 2, "--by is a measured column"),
        (("--where", "nothing"), 1, "no layer matches"),
    ],
)
def test_what_is_asked_wrongly_is_said(genewright: Run, words: tuple[str, ...], code: int, said: str) -> None:
    result = genewright(*NET, *words)
    assert result.code == code
    assert said in result.err


def test_a_file_of_tensors_does_not_run(genewright: Run) -> None:
    result = genewright("neurons", "net.pt", "held_out.npz")
    assert result.code == 1
    assert "package.module:factory" in result.err
