"""Populations of torch modules."""

from __future__ import annotations

from genewright.populations.torch.sources import Family as Family
from genewright.populations.torch.torch_population import TorchPopulation as TorchPopulation

__all__ = ["Family", "TorchPopulation"]
