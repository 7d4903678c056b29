"""The operators of DeepMutation that act on a trained network."""

from __future__ import annotations

from genewright.mutation_testing.mutants import Mutants
from genewright.operators.architecture.copy_layer import CopyLayer
from genewright.operators.architecture.insert_layer import InsertLayer
from genewright.operators.architecture.remove_layer import RemoveLayer
from genewright.operators.architecture.replace_activation import ReplaceActivation
from genewright.operators.units.block_units import BlockUnits
from genewright.operators.units.invert_units import InvertUnits
from genewright.operators.weights.gaussian_noise import GaussianNoise
from genewright.operators.weights.shuffle import Shuffle
from genewright.operators.weights.swap_units import SwapUnits
from genewright.spec import LayerSpec

_RATE = 0.01

DEEPMUTATION = Mutants(
    (
        GaussianNoise(std=0.5, relative_to="weight", rate=_RATE),  # GF
        Shuffle(rate=_RATE),  # WS
        BlockUnits(rate=_RATE),  # NEB
        InvertUnits(rate=_RATE),  # NAI
        SwapUnits(rate=_RATE, outputs=True),  # NS
        RemoveLayer(),  # LD of the paper, LR of the tool
        CopyLayer(),  # LD of the tool
        InsertLayer(layer=LayerSpec(kind="activation", activation="Tanh"), init="noise"),  # LAm
        ReplaceActivation(to="identity"),  # AFRm
    ),
    sites=("all", "all", "all", "all", "all", "all", "all", "all", "layer"),
    outputs=True,
)
"""GF, WS, NEB, NAI, NS, layers removed, copied and added, activations removed; 1 % of all weights or units a mutant.

Ma et al., "DeepMutation: Mutation Testing of Deep Learning Systems", arXiv:1805.05206, section IV.B; Hu et al.,
"DeepMutation++", ASE 2019. Where we deviate:

| operator | there | here |
|---|---|---|
| GF | the tool clips the whole layer to [-1, 1] afterwards, weights that were not chosen too | no clipping |
| NEB | the tool zeroes what comes into a unit; the paper says outgoing weights | outgoing weights, of hidden units |
| NAI | weights and bias negated | the same; through a norm, its gain and shift |
| NS | by an aliasing slip, the tool makes one unit a copy of the other | the two change places |
| layers | equal shapes of input and output: Dropout too | the same; such mutants count as `unchanged`, in no score |
| copies | the tool inserts the same layer object again | weights of its own from then on |
| LAm | one of ten activations, three of them identities above 0; 1 in n inserts none | Tanh |
| shares | int(1 % of all units) | ceil(1 %) of each layer's: one at least |
"""
