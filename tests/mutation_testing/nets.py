"""Small classifiers and data for the tests of mutation testing."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def mlp(seed: int = 0) -> nn.Sequential:
    """Return an untrained classifier of 6 inputs and 4 classes."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 4))


def blobs(number: int = 120, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return samples of four classes that overlap a little."""
    draw = torch.Generator().manual_seed(seed)
    centres = 2.5 * torch.randn(4, 6, generator=torch.Generator().manual_seed(7))
    classes = torch.arange(number) % 4
    return centres[classes] + torch.randn(number, 6, generator=draw), classes


def trained(net: nn.Module, data: tuple[torch.Tensor, torch.Tensor], steps: int = 60) -> Any:
    """Return the network after some steps of training."""
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(data[0]), data[1]).backward()
        optimizer.step()
    return net.eval()
