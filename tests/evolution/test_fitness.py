"""gw.fitness: what tells one fitness from another."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import genewright as gw
from genewright.fitness.fitness import signature_of
from genewright.seeding import Noise
from tests.evolution.problems import loss, weights


def scaled(model: Any, *, by: float) -> float:
    return by * loss(model)


@dataclass(frozen=True)
class Scaled(gw.fitness.Fitness):
    by: float = 1.0

    def evaluate(self, model: Any, noise: Noise) -> float:
        return scaled(model, by=self.by)


def test_a_signature_tells_names_sources_and_settings_apart() -> None:
    every = [
        loss,
        weights,
        functools.partial(scaled, by=2.0),
        functools.partial(scaled, by=3.0),
        Scaled(2.0),
        Scaled(3.0),
        lambda model: 1.0,
        lambda model: 2.0,
    ]
    signatures = [signature_of(fitness) for fitness in every]
    assert len(set(signatures)) == len(every)
    assert signatures == [signature_of(fitness) for fitness in every]
    assert not any("0x" in signature for signature in signatures)
