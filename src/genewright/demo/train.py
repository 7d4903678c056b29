"""Training the demo's network: the only part of the demo that draws from torch's own generator."""

from __future__ import annotations

import torch
from torch import nn

from genewright.demo.data import Digits
from genewright.demo.model import DigitsClassifier
from genewright.demo.tell import Tell
from genewright.noise import derive
from genewright.seeding import Seed

_EPOCHS = 30
_BATCH = 64
_HIGHEST_RATE = 5e-3


def train(digits: Digits, seed: Seed, tell: Tell) -> DigitsClassifier:
    """Return a classifier trained on the training images, in evaluation mode.

    Adam with one learning-rate cycle and cross-entropy. torch's generator is seeded for this alone, and is afterwards
    as it was.
    """
    images, labels = torch.tensor(digits.images), torch.tensor(digits.labels)
    with torch.random.fork_rng(devices=[]):  # pyright: ignore[reportUnknownMemberType]
        torch.default_generator.manual_seed(derive(seed, name="training", path="/demo").key)
        model = DigitsClassifier()
        optimizer = torch.optim.Adam(model.parameters(), lr=_HIGHEST_RATE)
        steps = _EPOCHS * -(-len(images) // _BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _HIGHEST_RATE, total_steps=steps)
        for _ in tell.track(range(_EPOCHS), "Training", _EPOCHS):
            order = torch.randperm(len(images))
            for start in range(0, len(images), _BATCH):
                chosen = order[start : start + _BATCH]
                loss = nn.functional.cross_entropy(model(images[chosen]), labels[chosen])
                optimizer.zero_grad()
                loss.backward()  # pyright: ignore[reportUnknownMemberType]
                optimizer.step()  # pyright: ignore[reportUnknownMemberType]
                schedule.step()
    return model.eval()
