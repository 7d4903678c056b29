"""Real files and a real module in the folder where the command runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import genewright as gw
from genewright.cli import main

MODULE = """
import torch


class Net(torch.nn.Sequential):
    def __init__(self):
        super().__init__(
            torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten(), torch.nn.Linear(144, 10)
        )


def needs(argument):
    return Net()


def fails():
    raise ValueError("no weights here")


number = 3
"""


@dataclass(frozen=True)
class Said:
    """What one run of the command said."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Said]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with net.safetensors, net.pt (the same), held_out.npz and users_models.py, as the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "users_models.py").write_text(MODULE)
    sys.modules.pop("users_models", None)
    torch.manual_seed(1)
    from users_models import Net

    net = Net()
    gw.save(net, "net.safetensors")
    torch.save(net.state_dict(), "net.pt")
    generator = np.random.default_rng(1)
    np.savez("held_out.npz", X=generator.random((30, 1, 8, 8), np.float32), y=np.arange(30) % 10)
    yield tmp_path
    sys.modules.pop("users_models", None)


@pytest.fixture
def genewright(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process: genewright("show", "net.pt")."""

    def run(*words: str) -> Said:
        capsys.readouterr()
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return run
