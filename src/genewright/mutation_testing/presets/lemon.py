"""The mutation operators of LEMON."""

from __future__ import annotations

from genewright.mutation_testing.mutants import Mutants
from genewright.operators.architecture.copy_layer import CopyLayer
from genewright.operators.architecture.insert_layer import InsertLayer
from genewright.operators.architecture.remove_layer import RemoveLayer
from genewright.operators.architecture.replace_activation import ReplaceActivation
from genewright.operators.architecture.swap_layers import SwapLayers
from genewright.operators.combinators.sequence import Sequence
from genewright.operators.units.block_units import BlockUnits
from genewright.operators.units.invert_units import InvertUnits
from genewright.operators.weights.gaussian_noise import GaussianNoise
from genewright.operators.weights.shuffle import Shuffle
from genewright.operators.weights.swap_units import SwapUnits

_RATE = 0.3

LEMON = Mutants(
    (
        GaussianNoise(std=0.1, relative_to="tensor", rate=_RATE),  # GF
        Shuffle(rate=_RATE),  # WS
        BlockUnits(side="in", rate=_RATE),  # NEB
        InvertUnits(rate=_RATE),  # NAI
        SwapUnits(count=1, outputs=True),  # NS
        RemoveLayer(),  # LR
        SwapLayers(),  # LS
        CopyLayer(),  # LC
        InsertLayer(init="noise"),  # LA
        Sequence((InsertLayer(init="noise"), InsertLayer(init="noise"))),  # MLA
        ReplaceActivation(to="identity"),  # ARem
        ReplaceActivation(to="ELU"),  # ARep
    ),
    sites=("layer", "layer", "layer", "layer", "layer", "all", "all", "all", "all", "all", "layer", "layer"),
    outputs=True,
)
"""Weights, units and layers of one layer at a time: 30 % of its weights or units.

Wang et al., "Deep Learning Library Testing via Effective Model Generation", ESEC/FSE 2020, which uses them to find
faults of libraries, by outputs that differ between them. Where we deviate:

| operator | there | here |
|---|---|---|
| GF | by an overwritten variable, the strength of a bias is 0.1 sd(W) sd(b) | 0.1 standard deviations of each tensor |
| NEB | the text says weights to the next layers, the code zeroes what comes in | as the code: rows and bias |
| NS | two units of the first layer that has them | two units of any one layer |
| LS, LC | layers with equal shapes; LC puts the copy beside the layer | LS: also of one class and settings |
| LA, MLA | one or two layers from a universe of kinds | linear layers or convolutions of that shape, freshly drawn |
| ARem, ARep | not the softmax, a function at random | activations that are layers; replaced by ELU |
| choice | a Markov chain prefers operators that made libraries differ | operators take turns |
"""
