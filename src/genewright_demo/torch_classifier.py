"""The demo's network in torch, and its training: the only part of the demo that draws from torch's own generator.

The command can make the network too: ``genewright_demo.torch_classifier:DigitsClassifier``.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import nn

from genewright.noise import derive
from genewright_demo.console import Console
from genewright_demo.digits import Digits, Seed

_BATCH = 64
_HIGHEST_RATE = 5e-3
_FURTHER = 5
_LOWER_RATE = 1e-3
_FAR_TOO_HIGH_RATE = 0.3
_BADLY = 2

Model = TypeVar("Model", bound=nn.Module)


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


def parameters(model: nn.Module) -> int:
    """Return how many values training changes."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


@contextmanager
def one_thread() -> Generator[None]:
    """Let torch use one thread for the length of a ``with`` block.

    More only wait for each other in a network this small, and sums depend on their number: with one, the trained
    network is the same whatever the number of cores.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def train(digits: Digits, seed: Seed, console: Console, epochs: int) -> DigitsClassifier:
    """Return a classifier trained on the training images, in evaluation mode.

    Adam with one learning-rate cycle and cross-entropy. torch's generator is seeded for this alone, and is afterwards
    as it was.
    """
    with torch.random.fork_rng(devices=[]):  # pyright: ignore[reportUnknownMemberType]
        torch.default_generator.manual_seed(derive(seed, name="training", path="/demo").key)
        return _fit(DigitsClassifier(), digits, console, epochs=epochs, highest_rate=_HIGHEST_RATE)


def train_further(model: nn.Module, digits: Digits, seed: Seed, console: Console) -> nn.Module:
    """Train a mutant a little further, in place, in the same way, at a lower rate; return it in evaluation mode."""
    with torch.random.fork_rng(devices=[]):  # pyright: ignore[reportUnknownMemberType]
        torch.default_generator.manual_seed(derive(seed, name="training further", path="/demo").key)
        return _fit(model, digits, console, epochs=_FURTHER, highest_rate=_LOWER_RATE)


def train_badly(digits: Digits, seed: Seed, console: Console) -> DigitsClassifier:
    """Return a classifier trained for a moment at a rate that is far too high, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):  # pyright: ignore[reportUnknownMemberType]
        torch.default_generator.manual_seed(derive(seed, name="training badly", path="/demo").key)
        return _fit(DigitsClassifier(), digits, console, epochs=_BADLY, highest_rate=_FAR_TOO_HIGH_RATE)


def _fit(model: Model, digits: Digits, console: Console, *, epochs: int, highest_rate: float) -> Model:
    images, labels = torch.tensor(digits.images), torch.tensor(digits.labels)
    optimizer = torch.optim.Adam(model.parameters(), lr=highest_rate)
    steps = epochs * -(-len(images) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, highest_rate, total_steps=steps)
    model.train()
    for _ in console.track(range(epochs), "Training", epochs):
        order = torch.randperm(len(images))
        for start in range(0, len(images), _BATCH):
            chosen = order[start : start + _BATCH]
            loss = nn.functional.cross_entropy(model(images[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()  # pyright: ignore[reportUnknownMemberType]
            optimizer.step()  # pyright: ignore[reportUnknownMemberType]
            schedule.step()
    return model.eval()
