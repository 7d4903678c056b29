"""Which mutants a process without genewright can unpickle."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw

WITHOUT_US = """
import json, sys
sys.modules["genewright"] = None  # importing it fails
import torch

def said(name, kind):
    try:
        if kind == "pickle":
            model, example, expected = torch.load(f"{name}.pt", weights_only=False)
        else:
            example, expected = torch.load(f"{name}.pt")
            model = torch.export.load(f"{name}.pt2").module()
        with torch.no_grad():
            torch.testing.assert_close(model(example), expected, **({"rtol": 0, "atol": 0} if kind == "pickle" else {}))
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "as before"

print(json.dumps({name: said(name, sys.argv[1]) for name in sys.argv[2:]}))
"""


def _without_us(kind: str, names: Iterable[str], folder: Path) -> dict[str, str]:
    """Load files in one process that cannot import genewright; return what it says of each."""
    command = [sys.executable, "-c", WITHOUT_US, kind, *names]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


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


@pytest.fixture(scope="module")
def unpickled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a process without us says of every pickle."""
    folder = tmp_path_factory.mktemp("pickles")
    for name, (make, operator) in (PLAIN | OURS).items():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            model, example = make()
        mutant = gw.mutate(model.eval(), operator, seed=1, example=example)
        with torch.no_grad():
            torch.save((mutant, example, mutant(example)), folder / f"{name}.pt")
    return _without_us("pickle", PLAIN | OURS, folder)


@pytest.mark.parametrize("name", PLAIN)
def test_what_torch_has_layers_for_is_unpickled_without_us(name: str, unpickled: dict[str, str]) -> None:
    assert unpickled[name] == "as before"


@pytest.mark.parametrize("name", OURS)
def test_what_is_wired_by_us_needs_us_as_the_guide_says(name: str, unpickled: dict[str, str]) -> None:
    assert "genewright" in unpickled[name]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a process without us says of every export."""
    folder = tmp_path_factory.mktemp("exports")
    for name, (make, operator) in OURS.items():
        model, example = make()
        mutant = gw.mutate(model.eval(), operator, seed=1, example=example)
        torch.export.save(torch.export.export(mutant, (example,)), folder / f"{name}.pt2")
        torch.save((example, mutant(example).detach()), folder / f"{name}.pt")
    return _without_us("export", OURS, folder)


@pytest.mark.parametrize("name", OURS)
def test_an_export_needs_torch_alone(name: str, exported: dict[str, str]) -> None:
    assert exported[name] == "as before"
