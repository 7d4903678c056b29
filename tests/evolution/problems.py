"""A small problem that all tests of evolution share: tell the sign of a product. Also what other processes import."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

import genewright as gw

NOISE = gw.GaussianNoise(std=0.1)
SMALL = gw.GeneticAlgorithm(population=8, parents=3, elites=1)


def network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 2))


def _data() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(32, 3, generator=generator)
    return x, (x[:, 0] * x[:, 1] > 0).long()


X, Y = _data()


def loss(model: nn.Module) -> float:
    """The negative cross-entropy: a fitness that is the same in every process."""
    with torch.no_grad():
        return -float(torch.nn.functional.cross_entropy(model(X), Y))


def weights(model: nn.Module) -> float:
    """A cheap fitness: small weights are good."""
    return -float(sum(parameter.detach().double().abs().sum() for parameter in model.parameters()))


def evolved(**changes: Any) -> gw.Run:
    """Run the small problem with some arguments of `gw.evolve` changed."""
    arguments: dict[str, Any] = {"mutation": NOISE, "strategy": SMALL, "generations": 4, "seed": 246} | changes
    model, fitness = arguments.pop("model", network()), arguments.pop("fitness", loss)
    return gw.evolve(model, fitness, **arguments)


def story(run: gw.Run) -> list[Any]:
    """Return all that is the same for every executor and every store: not the times, not the workers."""
    return [(one.number, one.generation, one.genome, one.status, one.fitness) for one in run.individuals()]


class KillsOnce:
    """Kills its process the first time that it judges one of some individuals; a file says that it did."""

    def __init__(self, folder: Path, chance: int) -> None:
        self.folder = folder
        self.chance = chance

    def __call__(self, model: nn.Module) -> float:
        value = loss(model)
        mark = self.folder / gw.fingerprint(model)
        if int(str(mark)[-2:], 16) % self.chance == 0 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), 9)
        return value


class HangsSometimes:
    """Hangs on every third network, by its fingerprint."""

    def __call__(self, model: nn.Module) -> float:
        if int(gw.fingerprint(model)[-2:], 16) % 3 == 0:
            time.sleep(600)
        return loss(model)
