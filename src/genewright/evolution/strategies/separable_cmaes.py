"""CMA-ES with a diagonal covariance, by the library cmaes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from genewright.evolution.strategies.weight_space import WeightSpaceSearch
from genewright.extras import required


@dataclass(frozen=True, kw_only=True)
class SeparableCMAES(WeightSpaceSearch):
    """Search all weights by CMA-ES with a standard deviation for each weight, and no covariances between them.

    As `CMAES`, with C diagonal: time and memory grow with the number of weights, and what it learns of each weight
    alone it learns faster. An individual is told by its weights, eight bytes each: at most 20,000.

    `mutation=` is left out, or a `gw.GaussianNoise` whose `std` and `where` hold instead of the ones here.

    Args:
        std: Standard deviation at the beginning, above 0, in units of the weights.
        population: Individuals of each generation, at least 4; None for 4 + floor(3 ln n).
        where: Which tensors and units; all trainable ones by default.

    Raises:
        SettingError: A setting is out of its range; in a run, more weights are chosen than it can work with.
        MissingExtraError: cmaes is not installed.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(3, 1)
        >>> run = gw.evolve(net, lambda m: -float(m.weight.square().sum()), strategy=gw.SeparableCMAES(std=0.2), seed=1,
        ...     generations=15)
        >>> run.best.fitness > -0.5 * float(net.weight.square().sum())
        True

    References:
        Ros and Hansen, "A Simple Modification in CMA-ES Achieving Linear Time and Space Complexity", PPSN 2008.
    """

    limit: ClassVar[int] = 20_000
    instead: ClassVar[str] = "gw.EvolutionStrategy (any number)"

    def searching(self, mean: NDArray[np.float64], std: float, seed: int) -> Any:
        cmaes = required("cmaes", extra="strategies", what="SeparableCMAES")
        return cmaes.SepCMA(mean=mean, sigma=std, seed=seed, population_size=self.population)
