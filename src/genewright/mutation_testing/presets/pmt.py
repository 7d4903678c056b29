"""The post-training mutants of probabilistic mutation testing."""

from __future__ import annotations

from genewright.mutation_testing.mutants import Mutants
from genewright.operators.units.block_units import BlockUnits
from genewright.operators.weights.gaussian_noise import GaussianNoise

_FUZZED = 0.05

PMT_MUTANTS = Mutants(
    (
        *(GaussianNoise(std=std, relative_to="weight", rate=_FUZZED) for std in (0.1, 0.5, 1.0)),
        *(BlockUnits(side="in", rate=rate) for rate in (0.01, 0.05, 0.1)),
    ),
    sites=("tensor", "tensor", "tensor", "layer", "layer", "layer"),
    outputs=True,
)
"""Weights fuzzed (5 % of one tensor, by 0.1, 0.5 or 1 times each) and units frozen (1 %, 5 % or 10 % of one layer).

Tambon, Khomh and Antoniol, "A Probabilistic Framework for Mutation Testing in Deep Neural Networks", arXiv:2301.05651.
To be judged with a list of trainings and `criterion="pmt"`, or `"paired"`. Where we deviate:

| operator | there | here |
|---|---|---|
| fuzz | exactly int(5 % of n) elements change | each element with probability 5 % |
| freezing | max(1, int(r n)) units | ceil(r n) units |
| site | one tensor or layer, fixed for a mutation | drawn by the seed, each once before one comes again |
| trainings' mutants | data deleted, before training | not here: they need your training |
"""
