"""fault_rate against all 210,240 single flips of a perceptron on digits, run by a loop that shares nothing with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

import genewright as gw
from genewright.mutation_testing.fault_record import Effect, Faults
from genewright.mutation_testing.fault_sample import looks
from genewright.mutation_testing.fault_share import FaultShare
from genewright.mutation_testing.injection import injected

POPULATION = 210_240


def digits() -> tuple[nn.Sequential, tuple[torch.Tensor, torch.Tensor]]:
    """Return a perceptron 64-64-32-10, trained, and 540 samples that it has not seen."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    x, y = torch.tensor(images / 16, dtype=torch.float32), torch.tensor(labels)
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        functional.cross_entropy(net(x[:1257]), y[:1257]).backward()
        optimizer.step()
    return net.eval(), (x[1257:], y[1257:])


@torch.no_grad()
def every_flip(net: nn.Sequential, x: torch.Tensor) -> NDArray[np.int64]:
    """Return the effect of each flip, by its place: tensors by name, elements in order, bits ascending."""
    inputs = {0: x, 2: net[1](net[0](x)), 4: net[3](net[2](net[1](net[0](x))))}
    logits = net(x)
    classes, finite = logits.argmax(1), torch.isfinite
    found: list[int] = []
    for name, parameter in sorted(net.named_parameters()):
        layer = int(name.split(".")[0])
        words = parameter.data.numpy().view(np.uint32).reshape(-1)
        for element in range(len(words)):
            for bit in range(32):
                words[element] ^= np.uint32(1 << bit)
                made = net[layer:](inputs[layer])
                words[element] ^= np.uint32(1 << bit)
                if torch.equal(made, logits):
                    found.append(Effect.MASKED)
                elif not finite(made).all():
                    found.append(Effect.NONFINITE)
                else:
                    found.append(Effect.CHANGED if (made.argmax(1) != classes).any() else Effect.TOLERATED)
    return np.array(found, np.int64)


@pytest.mark.slow
def test_the_interval_holds_the_rate_of_all_flips_in_97_of_100_seeds() -> None:
    net, (x, y) = digits()
    effects = every_flip(net, x)
    assert len(effects) == POPULATION
    truth = float((effects >= Effect.CHANGED).mean())

    real = gw.fault_rate(net, (x, y), gw.BitFlip(count=1), margin=0.01, confidence=0.99, seed=0)
    looked_up = effects[real.faults.place]
    assert np.array_equal(looked_up >= Effect.CHANGED, real.faults.effect >= Effect.CHANGED)
    assert real.low <= truth <= real.high

    def run(places: NDArray[np.int64]) -> list[Faults]:
        none: Any = np.zeros(len(places))
        return [Faults(places, none, none, none, effects[places], none, none)]

    for sequential in (True, False):
        schedule = looks(POPULATION, margin=0.01, confidence=0.99, sequential=sequential)
        held, margins, sizes = 0, [], []
        for seed in range(100):
            faults, alpha = injected(schedule, POPULATION, seed, 0.01, run)
            failed = int((faults.effect >= Effect.CHANGED).sum())
            share = FaultShare.counted(failed, len(faults), POPULATION, alpha)
            held += share.low <= truth <= share.high
            margins.append(share.margin)
            sizes.append(len(faults))
        print(f"truth {truth:.4%}, held {held}, faults {np.mean(sizes):.0f}, margin at most {max(margins):.4f}")
        assert held >= 97
        assert max(margins) <= 0.01
