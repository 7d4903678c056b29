"""Populations of Keras models on JAX."""

from __future__ import annotations

from genewright.populations.keras.jax_population import JaxPopulation as JaxPopulation

__all__ = ["JaxPopulation"]
