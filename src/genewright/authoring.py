"""What the author of an operator imports: networks, noise, edits, and the checks of settings.

    from genewright.authoring import Edit, Map, Network, Noise, Operator, Scale, Where, as_where

`docs/guides/write-an-operator.md` shows how they go together.
"""

from __future__ import annotations

from genewright.draws import Draws
from genewright.edits import (
    Assign,
    Copy,
    Edit,
    Following,
    Function,
    Gather,
    InsertLayer,
    Map,
    Perturb,
    Place,
    RemoveLayer,
    ReplaceLayer,
    Rewire,
    SetAttribute,
    Share,
    Tie,
    Write,
)
from genewright.edits.functions import Absorb, Add, Identity, MeanFill, Negate, Quantize, Scale, Shuffle
from genewright.function_operator import operator
from genewright.index import Index
from genewright.layer import Layer
from genewright.network import Network
from genewright.noise import Change, Stream, choice, mask, permutation, uniform01
from genewright.operator import AnyOperator, Combinator, Operator
from genewright.operators.architecture.new_layer_init import init_identity, init_new_layer
from genewright.part import Part, along
from genewright.seeding import Noise
from genewright.settings import check_choice, check_fraction, check_integer, check_nonnegative, check_positive
from genewright.spec import LayerSpec
from genewright.tensor import Initial, Tensor
from genewright.where import Selected, Where, as_where

__all__ = [
    "Absorb",
    "Add",
    "AnyOperator",
    "Assign",
    "Change",
    "Combinator",
    "Copy",
    "Draws",
    "Edit",
    "Following",
    "Function",
    "Gather",
    "Identity",
    "Index",
    "Initial",
    "InsertLayer",
    "Layer",
    "LayerSpec",
    "Map",
    "MeanFill",
    "Negate",
    "Network",
    "Noise",
    "Operator",
    "Part",
    "Perturb",
    "Place",
    "Quantize",
    "RemoveLayer",
    "ReplaceLayer",
    "Rewire",
    "Scale",
    "Selected",
    "SetAttribute",
    "Share",
    "Shuffle",
    "Stream",
    "Tensor",
    "Tie",
    "Where",
    "Write",
    "along",
    "as_where",
    "check_choice",
    "check_fraction",
    "check_integer",
    "check_nonnegative",
    "check_positive",
    "choice",
    "init_identity",
    "init_new_layer",
    "mask",
    "operator",
    "permutation",
    "uniform01",
]
