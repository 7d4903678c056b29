"""genewright score and survivors: the library's numbers, and a survivor that a fresh process makes again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.cli.conftest import Run

import genewright as gw

NET = ("score", "users_models:Net", "held_out.npz", "--weights", "net.pt")


def test_the_score_is_the_librarys_and_a_survivor_is_made_again(genewright: Run, folder: Path) -> None:
    said = genewright(*NET, "--seed", "1", "--count", "12", "--out", "report.jsonl", "--json").json()
    from users_models import Net

    held = np.load("held_out.npz")
    report = gw.mutation_score(gw.load(Net, "net.pt"), (held["X"], held["y"]), count=12, seed=1)
    assert said["score"]["killed"] == report.score().killed
    assert said["survivors"] == [row.number for row in report.survivors()]
    number = said["survivors"][0]

    shown = genewright("survivors", "report.jsonl")
    assert shown.code == 0, shown.err
    assert f"{len(said['survivors'])} of {said['score']['of']} survived" in shown.out
    assert genewright("survivors", "report.jsonl", "--recipe", str(number), "--out", "one.json").code == 0
    words = ["replay", "one.json", "users_models:Net", "--weights", "net.pt", "--out", "again.pt", "--json"]
    done = subprocess.run([sys.executable, "-m", "genewright", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = next(row.result for row in report.rows if row.number == number)
    assert result in json.dumps(json.loads(done.stdout))


def test_a_mutant_is_written_from_the_report(genewright: Run, folder: Path) -> None:
    genewright(*NET, "--seed", "1", "--count", "6", "--out", "report.jsonl", "--json").json()
    row = gw.MutationReport.load("report.jsonl").rows[3]
    words = ("mutate", "--from", "report.jsonl#3", "users_models:Net", "--weights", "net.pt", "--out")
    done = genewright(*words, "m3.safetensors", "--json")
    assert done.json()["result"] == row.result, done.err
    from users_models import Net

    assert gw.fingerprint(gw.load(Net, "m3.safetensors")) == row.result
    again = genewright(*words, "m3.safetensors")
    assert (again.code, "--force" in again.err) == (1, True), again.err
    other = genewright("mutate", "--from=report.jsonl#99", "users_models:Net", "--weights", "net.pt", "--out", "n.pt")
    assert other.code == 1
    assert "no recipe of mutant 99" in other.err
    assert "REPORT#NUMBER" in genewright("mutate", "--from", "report.jsonl", "net.pt", "--out", "n.pt").err


def test_a_store_is_extended_and_the_page_is_written(genewright: Run, folder: Path) -> None:
    first = genewright(*NET, "--seed", "1", "--count", "4", "--store", "kept", "--criterion", "any", "--json").json()
    more = genewright(
        *NET, "--seed", "1", "--count", "9", "--store", "kept", "--criterion", "any", "--out", "page.html", "--json"
    ).json()
    assert sum(first["outcomes"].values()) == 4
    assert sum(more["outcomes"].values()) == 9
    assert [number for number in more["survivors"] if number < 4] == first["survivors"]
    assert "<html" in (folder / "page.html").read_text()


def test_survivors_of_a_network_that_puts_out_zeros_are_json(genewright: Run, folder: Path) -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)).eval()
    torch.nn.init.zeros_(net[2].weight)
    torch.nn.init.zeros_(net[2].bias)
    data = torch.randn(40, 6), torch.arange(40) % 3
    operator = gw.GaussianNoise(0.1, where="2.*")
    report = gw.mutation_score(net, data, mutants=operator, count=8, criterion="mcnemar", seed=1)
    assert any(row.largest_change == float("inf") for row in report.survivors())
    report.save("zeros.jsonl")
    said = genewright("survivors", "zeros.jsonl", "--json").json()["survivors"]
    assert [row["number"] for row in said] == [row.number for row in report.survivors()]
    assert {row["largest_change"] for row in said} == {"Infinity"}
    assert {row["outcome"] for row in said} == {"survived"}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (NET, 2, "needs --seed"),
        ((*NET, "--seed", "1", "--criterion", "kills"), 2, "--criterion is one of"),
        ((*NET, "--seed", "1", "--out", "report.txt"), 2, ".jsonl or .html"),
        ((*NET, "--seed", "1", "--alpha", "2"), 1, "alpha"),
        (("survivors", "held_out.npz"), 1, "not a report"),
        (("survivors", "report.jsonl", "--recipe", "3"), 2, "go together"),
    ],
)
def test_what_is_asked_wrongly_is_said(genewright: Run, words: tuple[str, ...], code: int, said: str) -> None:
    result = genewright(*words)
    assert result.code == code
    assert said in result.err
