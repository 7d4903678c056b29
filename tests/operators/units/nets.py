"""Networks with hidden units, and what became of these."""

from __future__ import annotations

import torch
from torch import nn


def mlp(activation: nn.Module) -> tuple[nn.Sequential, torch.Tensor]:
    """Return a network of 8 hidden units in float64, and a batch."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), activation, nn.Linear(8, 3)).double().eval()
    return net, torch.randn(64, 4).double()


def images() -> tuple[nn.Sequential, torch.Tensor]:
    """Return two convolutions of 6 and 4 channels, the first with a norm, and a head, in float64; and a batch."""
    torch.manual_seed(0)
    body = [nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 4, 3), nn.Tanh()]
    net = nn.Sequential(*body, nn.Flatten(), nn.Linear(100, 3)).double().eval()
    with torch.no_grad():
        net[1].weight.uniform_(0.5, 1.5)
        net[1].bias.uniform_(-0.5, 0.5)
        net[1].running_mean.uniform_(-0.5, 0.5)
    return net, torch.randn(2, 3, 9, 9).double()


def moved(base: nn.Module, mutant: nn.Module, *, axis: int) -> set[tuple[str, int]]:
    """Return the rows (axis 0) or columns (axis 1) of kernels in which something has changed."""
    found: set[tuple[str, int]] = set()
    for (name, old), new in zip(base.named_parameters(), mutant.parameters(), strict=True):
        if old.dim() > 1:
            changed = (old != new).transpose(0, axis).flatten(1).any(dim=1)
            found |= {(name, int(at)) for at in changed.nonzero()}
    return found
