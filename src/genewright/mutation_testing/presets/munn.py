"""The operators of MuNN."""

from __future__ import annotations

from genewright.mutation_testing.mutants import Mutants
from genewright.operators.architecture.replace_activation import ReplaceActivation
from genewright.operators.units.block_inputs import BlockInputs
from genewright.operators.units.block_units import BlockUnits
from genewright.operators.weights.gaussian_noise import GaussianNoise
from genewright.where import where

MUNN = Mutants(
    (
        BlockInputs(count=1),  # DIN
        BlockUnits(count=1),  # DHN
        ReplaceActivation(to="Sigmoid"),  # CAF
        GaussianNoise(std=1.0, relative_to="tensor", count=1, where=where(roles="bias")),  # CBV
        GaussianNoise(std=1.0, relative_to="tensor", count=1, where=where(roles="kernel")),  # CWV
    ),
    sites="layer",
    outputs=True,
)
"""One input, hidden unit, activation, bias or weight of one layer a mutant.

Shen, Wan and Chen, "MuNN: Mutation Analysis of Neural Networks", QRS-C 2018. No code of it is known, and the paper does
not say by how much values change. Where we deviate:

| operator | there | here |
|---|---|---|
| DIN | an input neuron of the network is deleted | an input of any layer is blocked: what it multiplies is zero |
| DHN | a hidden neuron is deleted | its outgoing weights are zero, which has the same outputs |
| CAF | another activation | Sigmoid, of activations that are layers |
| CBV, CWV | another value | plus a normal draw of one standard deviation of the tensor |
"""
