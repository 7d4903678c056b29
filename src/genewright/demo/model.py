"""The demo's network, a factory for the command too: genewright.demo.model:DigitsClassifier."""

from __future__ import annotations

import torch
from torch import nn


class DigitsClassifier(nn.Module):
    """A small convolutional network for 8x8 grey images of the ten digits: (n, 1, 8, 8) to (n, 10) logits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(32)
        self.pool = nn.MaxPool2d(2)
        self.hidden = nn.Linear(32 * 4 * 4, 64)
        self.dropout = nn.Dropout(0.3)
        self.output = nn.Linear(64, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits of the ten classes."""
        maps = torch.relu(self.norm1(self.conv1(images)))
        maps = self.pool(torch.relu(self.norm2(self.conv2(maps))))
        hidden = torch.relu(self.hidden(maps.flatten(1)))
        return self.output(self.dropout(hidden))
