"""Which mutants a process without genewright can unpickle."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw

WITHOUT_US = """
import sys
sys.modules["genewright"] = None  # importing it fails
import torch
model, example, expected = torch.load(sys.argv[1], weights_only=False)
with torch.no_grad():
    torch.testing.assert_close(model(example), expected, rtol=0, atol=0)
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


def _unpickled(make: Any, operator: Any, folder: Path) -> subprocess.CompletedProcess[str]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model, example = make()
    mutant = gw.mutate(model.eval(), operator, seed=1, example=example)
    with torch.no_grad():
        torch.save((mutant, example, mutant(example)), folder / "mutant.pt")
    command = [sys.executable, "-c", WITHOUT_US, str(folder / "mutant.pt")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", PLAIN)
def test_what_torch_has_layers_for_is_unpickled_without_us(name: str, tmp_path: Path) -> None:
    done = _unpickled(*PLAIN[name], tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", OURS)
def test_what_is_wired_by_us_needs_us_as_the_guide_says(name: str, tmp_path: Path) -> None:
    done = _unpickled(*OURS[name], tmp_path)
    assert done.returncode == 1
    assert "genewright" in done.stderr


@pytest.mark.parametrize("name", OURS)
def test_an_export_needs_torch_alone(name: str, tmp_path: Path) -> None:
    make, operator = OURS[name]
    model, example = make()
    mutant = gw.mutate(model.eval(), operator, seed=1, example=example)
    torch.export.save(torch.export.export(mutant, (example,)), tmp_path / "mutant.pt2")
    torch.save((example, mutant(example).detach()), tmp_path / "expected.pt")
    code = (
        "import sys; sys.modules['genewright'] = None\nimport torch\n"
        "example, expected = torch.load(sys.argv[2])\n"
        "module = torch.export.load(sys.argv[1]).module()\n"
        "torch.testing.assert_close(module(example), expected)\n"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "mutant.pt2"), str(tmp_path / "expected.pt")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-1500:]
