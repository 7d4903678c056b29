"""Which mutants a process without genewright can unpickle."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw

WITHOUT_US = """
import json, os, sys
sys.modules["genewright"] = None  # importing it fails
import torch
said = {}
for name in sorted(os.listdir(sys.argv[1])):
    path = os.path.join(sys.argv[1], name)
    try:
        if name.endswith(".pt2"):
            given, expected = torch.load(path + ".expected")
            outputs, limits = torch.export.load(path).module()(given), {}
        elif name.endswith(".pt"):
            model, given, expected = torch.load(path, weights_only=False)
            outputs, limits = model(given), {"rtol": 0, "atol": 0}
        else:
            continue
        with torch.no_grad():
            torch.testing.assert_close(outputs, expected, **limits)
        said[name] = ""
    except Exception as error:
        said[name] = f"{type(error).__name__}: {error}"
print(json.dumps(said))
"""


def _chain() -> tuple[nn.Module, torch.Tensor]:
    convolutions = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()
    return nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(100, 6), nn.ReLU(), nn.Linear(6, 6)), torch.randn(
        2, 3, 5, 5
    )


def _blocks() -> tuple[nn.Module, torch.Tensor]:
    layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True, norm_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), torch.randn(2, 5, 8)


PLAIN: dict[str, tuple[Any, Any]] = {
    "widen": (_chain, gw.Widen("0", num_units=2)),
    "narrow": (_chain, gw.Narrow("0", num_units=2)),
    "insert": (_chain, gw.InsertLayer("2", activation="ReLU")),
    "remove": (_chain, gw.RemoveLayer("5")),
    "replace": (_chain, gw.ReplaceLayer("5", new="Tanh")),
    "activation": (_chain, gw.ReplaceActivation(to="SiLU")),
    "kernel": (_chain, gw.GrowKernel("0")),
    "block": (_blocks, gw.DuplicateBlock("layers.0", by="zeros")),
}
OURS: dict[str, tuple[Any, Any]] = {
    "gate": (_chain, gw.InsertLayer("2", init="gate")),
    "graft": (_blocks, gw.InsertLayer("layers.0.linear1")),
    "skip": (_chain, gw.AddSkip("6", "6")),
    "branch": (_chain, gw.AddBranch("6")),
    "blend": (_chain, gw.ReplaceActivation(to="SiLU", blend=0)),
}


def _mutant(make: Any, operator: Any) -> tuple[nn.Module, torch.Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model, example = make()
    return gw.mutate(model.eval(), operator, seed=1, example=example), example


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what a process without genewright says of every file, by name: "" where the outputs are the same."""
    folder: Path = tmp_path_factory.mktemp("mutants")
    for name, (make, operator) in (PLAIN | OURS).items():
        mutant, example = _mutant(make, operator)
        expected = mutant(example).detach()
        torch.save((mutant, example, expected), folder / f"{name}.pt")
        if name in OURS:
            torch.export.save(torch.export.export(mutant, (example,)), folder / f"{name}.pt2")
            torch.save((example, expected), folder / f"{name}.pt2.expected")
    command = [sys.executable, "-c", WITHOUT_US, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    answers: dict[str, str] = json.loads(done.stdout)
    return answers


@pytest.mark.parametrize("name", PLAIN)
def test_what_torch_has_layers_for_is_unpickled_without_us(name: str, said: dict[str, str]) -> None:
    assert said[f"{name}.pt"] == ""


@pytest.mark.parametrize("name", OURS)
def test_what_is_wired_by_us_needs_us_as_the_guide_says(name: str, said: dict[str, str]) -> None:
    assert "genewright" in said[f"{name}.pt"]


@pytest.mark.parametrize("name", OURS)
def test_an_export_needs_torch_alone(name: str, said: dict[str, str]) -> None:
    assert said[f"{name}.pt2"] == ""
