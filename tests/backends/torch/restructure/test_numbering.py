"""Counts and lists in the configs of hand-written models follow the layers, whatever else is imported."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.linear(x)


class Part(nn.Module):
    def __init__(self, length: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Block() for _ in range(length)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class Parts(nn.Module):
    def __init__(self, lengths: dict[str, int], config: dict[str, Any]) -> None:
        super().__init__()
        self.config = SimpleNamespace(**config)
        self.names = list(lengths)
        for name, length in lengths.items():
            setattr(self, name, Part(length))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for name in self.names:
            x = getattr(self, name)(x)
        return x


class Stages(nn.Module):
    def __init__(self, depths: tuple[int, ...]) -> None:
        super().__init__()
        self.config = SimpleNamespace(depths=list(depths))
        self.stages = nn.ModuleList([Part(depth) for depth in depths])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for stage in self.stages:
            x = stage(x)
        return x


@pytest.mark.parametrize(
    ("lengths", "config", "expected"),
    [
        ({"body": 2}, {"n_layer": 2, "width": 2}, {"n_layer": 3, "width": 2}),
        ({"body": 2}, {"num_layers": 3}, {"num_layers": 3}),  # it counts something else
        ({"body": 2}, {"num_layers": True}, {"num_layers": True}),
        ({"encoder": 2}, {"encoder_layers": 2, "num_layers": 2}, {"encoder_layers": 3, "num_layers": 3}),
        (
            {"encoder": 2, "decoder": 2},
            {"encoder_layers": 2, "decoder_layers": 2, "num_layers": 2},
            {"encoder_layers": 3, "decoder_layers": 2, "num_layers": 2},
        ),
        ({"encoder": 2, "decoder": 2}, {"num_encoder_layers": 2}, {"num_encoder_layers": 3}),
        ({"encoder": 2, "decoder": 2}, {"n_layers": 2}, {"n_layers": 3}),
        (
            {"body": 2},
            {"n_layers": 2, "layer_kinds": ["a", "b"], "wide_layers": [1], "others": [1, 2]},
            {"n_layers": 3, "layer_kinds": ["a", "a", "b"], "wide_layers": [2], "others": [1, 2]},
        ),
        ({"body": 2}, {"layer_kinds": ["a", "b"]}, {"layer_kinds": ["a", "b"]}),  # nothing says that it is about these
    ],
)
def test_what_counts_a_list_follows_it(
    lengths: dict[str, int], config: dict[str, Any], expected: dict[str, Any]
) -> None:
    model, x = Parts(lengths, config), torch.randn(3, 4)
    first = next(iter(lengths))
    mutant = gw.mutate(model, gw.DuplicateBlock(block=f"{first}.layers.0"), seed=1, example=x)
    assert len(getattr(mutant, first).layers) == 3
    assert vars(mutant.config) == expected
    assert vars(model.config) == config


def test_depths_of_stages_follow() -> None:
    mutant = gw.mutate(Stages((2, 3)), gw.DuplicateBlock(block="stages.1.layers.0"), seed=1, example=torch.randn(3, 4))
    assert mutant.config.depths == [2, 4]


def test_no_library_is_imported_to_know_its_configs() -> None:
    script = """
import sys, torch
import genewright as gw
model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU(), torch.nn.Linear(2, 2))
gw.mutate(model, gw.Widen(layer="0", num_units=2), seed=1, example=torch.ones(1, 2))
print([name for name in sys.modules if "transformers" in name])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
