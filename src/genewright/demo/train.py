"""Training the demo's network: the only part of the demo that draws from torch's own generator."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

from genewright.demo.data import Digits
from genewright.demo.model import DigitsClassifier
from genewright.demo.tell import Tell
from genewright.noise import derive
from genewright.seeding import Seed

_BATCH = 64
_HIGHEST_RATE = 5e-3
_FURTHER = 5
_LOWER_RATE = 1e-3

Model = TypeVar("Model", bound=nn.Module)


def train(digits: Digits, seed: Seed, tell: Tell, epochs: int) -> DigitsClassifier:
    """Return a classifier trained on the training images, in evaluation mode.

    Adam with one learning-rate cycle and cross-entropy. torch's generator is seeded for this alone, and is afterwards
    as it was.
    """
    with torch.random.fork_rng(devices=[]):  # pyright: ignore[reportUnknownMemberType]
        torch.default_generator.manual_seed(derive(seed, name="training", path="/demo").key)
        return _fit(DigitsClassifier(), digits, tell, epochs=epochs, highest_rate=_HIGHEST_RATE)


def train_further(model: nn.Module, digits: Digits, seed: Seed, tell: Tell) -> nn.Module:
    """Train a mutant a little further, in place, in the same way, at a lower rate; return it in evaluation mode."""
    with torch.random.fork_rng(devices=[]):  # pyright: ignore[reportUnknownMemberType]
        torch.default_generator.manual_seed(derive(seed, name="training further", path="/demo").key)
        return _fit(model, digits, tell, epochs=_FURTHER, highest_rate=_LOWER_RATE)


def _fit(model: Model, digits: Digits, tell: Tell, *, epochs: int, highest_rate: float) -> Model:
    images, labels = torch.tensor(digits.images), torch.tensor(digits.labels)
    optimizer = torch.optim.Adam(model.parameters(), lr=highest_rate)
    steps = epochs * -(-len(images) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, highest_rate, total_steps=steps)
    model.train()
    for _ in tell.track(range(epochs), "Training", epochs):
        order = torch.randperm(len(images))
        for start in range(0, len(images), _BATCH):
            chosen = order[start : start + _BATCH]
            loss = nn.functional.cross_entropy(model(images[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()  # pyright: ignore[reportUnknownMemberType]
            optimizer.step()  # pyright: ignore[reportUnknownMemberType]
            schedule.step()
    return model.eval()
