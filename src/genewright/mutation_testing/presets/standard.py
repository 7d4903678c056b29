"""The mutants that `gw.mutation_score` makes unless it is told otherwise."""

from __future__ import annotations

from genewright.mutation_testing.mutants import Mutants
from genewright.operators.units.block_units import BlockUnits
from genewright.operators.units.invert_units import InvertUnits
from genewright.operators.weights.gaussian_noise import GaussianNoise
from genewright.operators.weights.shuffle import Shuffle
from genewright.operators.weights.swap_units import SwapUnits
from genewright.operators.weights.zero import Zero

_SHARES = (0.01, 0.05)

STANDARD = Mutants(
    tuple(
        operator
        for share in _SHARES
        for operator in (
            GaussianNoise(std=0.5, relative_to="weight", rate=share),
            Shuffle(rate=share),
            Zero(rate=share),
            BlockUnits(rate=share),
            InvertUnits(rate=share),
            SwapUnits(rate=share),
        )
    ),
    sites="layer",
    outputs=False,
)
"""Weights fuzzed, shuffled and set to zero, units blocked, inverted and swapped: 1 % and 5 % of one layer a mutant.

DeepMutation's GF, WS, NEB, NAI and NS and a zero beside them, with three deviations: a mutant changes one layer, not
all; the layer that makes the outputs is left out, for a swap or a block there is a class that is gone, which any sample
sees; the noise is relative to each weight and not clipped.
"""
