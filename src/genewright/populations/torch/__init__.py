"""Populations of torch modules."""

from __future__ import annotations

from genewright.populations.torch.torch_population import TorchPopulation as TorchPopulation

__all__ = ["TorchPopulation"]
