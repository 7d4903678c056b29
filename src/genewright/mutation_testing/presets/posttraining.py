"""What can be done to a trained network, of all that is published."""

from __future__ import annotations

from genewright.mutation_testing.mutants import Mutants
from genewright.mutation_testing.presets.standard import STANDARD
from genewright.operators.architecture.copy_layer import CopyLayer
from genewright.operators.architecture.insert_layer import InsertLayer
from genewright.operators.architecture.remove_layer import RemoveLayer
from genewright.operators.architecture.replace_activation import ReplaceActivation
from genewright.operators.architecture.swap_layers import SwapLayers
from genewright.operators.units.block_inputs import BlockInputs
from genewright.operators.weights.scale import Scale
from genewright.spec import LayerSpec

POSTTRAINING = STANDARD + Mutants(
    (
        BlockInputs(rate=0.05),
        Scale(factor=0.5, rate=0.05),
        ReplaceActivation(to="identity"),
        RemoveLayer(),
        CopyLayer(),
        SwapLayers(),
        InsertLayer(layer=LayerSpec(kind="activation", activation="Tanh"), init="noise"),
    ),
    sites=("layer", "layer", "layer", "all", "all", "all", "all"),
    outputs=False,
)
"""`STANDARD`, and inputs blocked, weights damped, activations and layers removed, copied, swapped and added.

One layer a mutant. A network that has nothing for an operator, such as two layers of one signature, goes without it;
`report.notes` says so. Layers that change the shape are never removed or copied, so most of it needs layers as wide as
they are deep: of a plain perceptron the weights and units remain.
"""
