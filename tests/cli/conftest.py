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


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = torch.nn.LayerNorm(8), torch.nn.LayerNorm(8)
        self.heads = 4
        self.query, self.key, self.value = torch.nn.Linear(8, 8), torch.nn.Linear(8, 8), torch.nn.Linear(8, 8)
        self.out = torch.nn.Linear(8, 8)
        self.up, self.act, self.down = torch.nn.Linear(8, 12), torch.nn.GELU(), torch.nn.Linear(12, 8)

    def forward(self, x):
        y = self.norm1(x)
        q, k, v = (p(y).unflatten(-1, (self.heads, -1)).transpose(1, 2) for p in (self.query, self.key, self.value))
        y = torch.nn.functional.scaled_dot_product_attention(q, k, v)
        x = x + self.out(y.transpose(1, 2).flatten(2))
        return x + self.down(self.act(self.up(self.norm2(x))))


class Vit(torch.nn.Module):
    # It has what every operator changes: a convolution, norms, heads, an activation, blocks, two layers that are alike.

    def __init__(self):
        super().__init__()
        self.stem = torch.nn.Conv2d(1, 8, 3, stride=2, padding=1)
        self.blocks = torch.nn.ModuleList([Block(), Block()])
        self.norm, self.head = torch.nn.LayerNorm(8), torch.nn.Linear(8, 10)

    def forward(self, x):
        x = self.stem(x).flatten(2).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x).mean(1))


class Rgb(Vit):
    def __init__(self):
        super().__init__()
        self.stem = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1)


class Placed(Vit):
    def __init__(self):
        super().__init__()
        self.places = torch.nn.Parameter(torch.randn(1, 16, 8))

    def forward(self, x):
        x = self.stem(x).flatten(2).transpose(1, 2) + self.places
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x).mean(1))


class Words(torch.nn.Sequential):
    def __init__(self):
        super().__init__(torch.nn.Embedding(10, 4), torch.nn.Linear(4, 10))


def sample():
    return torch.zeros(2, 1, 8, 8)


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
    """A folder with net.safetensors, net.pt (the same), vit.pt, held_out.npz and users_models.py; the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "users_models.py").write_text(MODULE)
    sys.modules.pop("users_models", None)
    torch.manual_seed(1)
    from users_models import Net, Vit

    torch.save(Vit().state_dict(), "vit.pt")
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
