"""CMA-ES, by the library cmaes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from genewright.evolution.strategies.weight_space import WeightSpaceSearch
from genewright.extras import required


@dataclass(frozen=True, kw_only=True)
class CMAES(WeightSpaceSearch):
    """Search all weights by CMA-ES: draw from a normal distribution whose mean and covariance learn from the best.

    w_i = m + sigma y_i with y_i ~ N(0, C); m moves to the weighted mean of the best, and C learns the directions in
    which they lie. It finds its way where weights depend on each other, and costs n^2 memory and n^3 time for n
    weights: at most 2,000.

    `mutation=` is left out, or a `gw.GaussianNoise` whose `std` and `where` hold instead of the ones here. The same run
    is the same for any number of workers; eigenvectors differ in their last bits between kinds of machines, so a run is
    resumed on the kind that began it.

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
        >>> run = gw.evolve(net, lambda m: -float(m.weight.square().sum()), strategy=gw.CMAES(std=0.2), generations=15,
        ...     seed=1)
        >>> run.best.fitness > -0.5 * float(net.weight.square().sum())
        True

    References:
        Hansen and Ostermeier, "Completely Derandomized Self-Adaptation in Evolution Strategies", Evolutionary
        Computation 9(2), 2001; Hansen, "The CMA Evolution Strategy: A Tutorial", arXiv:1604.00772.
    """

    limit: ClassVar[int] = 2_000
    instead: ClassVar[str] = "gw.SeparableCMAES (up to 20,000) or gw.EvolutionStrategy (any number)"

    def searching(self, mean: NDArray[np.float64], std: float, seed: int) -> Any:
        cmaes = required("cmaes", extra="strategies", what="CMAES")
        return cmaes.CMA(mean=mean, sigma=std, seed=seed, population_size=self.population)
