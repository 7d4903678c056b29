"""Golden fingerprints of the operators of architecture: a change of any byte is noticed.

To be changed only together with the version of what changed them: people replay recipes from years ago. What solves
equations in floating point (Narrow's repair by least squares) is left out: its last bits are LAPACK's.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import genewright as gw
from genewright.operator import registered
from tests.operators.architecture import networks, wide_networks

GOLDEN = Path(__file__).with_suffix(".json")
OPERATORS: dict[str, tuple[str, Any]] = {
    "AddBranch": ("resnet", gw.AddBranch()),
    "AddHeads": ("attention", gw.AddHeads()),
    "AddSkip": ("resnet", gw.AddSkip()),
    "AddSkip with a projection": ("plain", gw.AddSkip(start="conv", end="conv2")),
    "CopyLayer": ("resnet", gw.CopyLayer()),
    "DuplicateBlock": ("resnet", gw.DuplicateBlock()),
    "DuplicateBlock by a graft": ("resnet", gw.DuplicateBlock(by="graft")),
    "DuplicateBlock of a layer that adds": ("transformer", gw.DuplicateBlock()),
    "DuplicateBlock by a gate": ("stack", gw.DuplicateBlock(by="gate")),
    "GrowKernel": ("resnet", gw.GrowKernel()),
    "GrowKernel by 4": ("convolutions", gw.GrowKernel("stem", by=4)),
    "GrowKernel of a depthwise convolution": ("convolutions", gw.GrowKernel("depthwise")),
    "GrowInputs": ("convolutions", gw.GrowInputs("stem", num_units=4, init="repeat")),
    "GrowInputs by the mean": ("convolutions", gw.GrowInputs("stem", init="mean", placement="start")),
    "GrowOutputs": ("mlp", gw.GrowOutputs(num_units=2)),
    "GrowOutputs by copies": ("mlp", gw.GrowOutputs(num_units=2, init={"copy": [1, 0]})),
    "GrowOutputs by noise": ("mlp", gw.GrowOutputs(init="noise")),
    "ResizePositions": ("attention", gw.ResizePositions(8)),
    "ResizePositions by fewer": ("attention", gw.ResizePositions(3)),
    "ResizeVocabulary": ("attention", gw.ResizeVocabulary()),
    "ResizeVocabulary by noise": ("attention", gw.ResizeVocabulary(init="noise", pad_to_multiple_of=8)),
    "ShrinkInputs": ("convolutions", gw.ShrinkInputs("stem", units=(0, 2), weights="sum")),
    "ShrinkOutputs": ("mlp", gw.ShrinkOutputs(units=(0,))),
    "InsertLayer": ("plain", gw.InsertLayer()),
    "InsertLayer by a gate": ("stack", gw.InsertLayer(init="gate")),
    "InsertLayer by noise": ("mlp", gw.InsertLayer(init="noise")),
    "Narrow": ("convolutions", gw.Narrow()),
    "Narrow at random": ("convolutions", gw.Narrow(by="random", num_units=2)),
    "Narrow by constants": ("constant", gw.Narrow("0", units=(1, 4))),
    "Narrow by copies": ("copies", gw.Narrow("0", units=(2, 5))),
    "Narrow the size of heads": ("attention", gw.Narrow("qkv[2]", num_units=1)),
    "RemoveHeads": ("attention", gw.RemoveHeads(by="last")),
    "RemoveLayer": ("resnet", gw.RemoveLayer()),
    "ReplaceActivation": ("stack", gw.ReplaceActivation(to="SiLU")),
    "ReplaceActivation by a blend": ("stack", gw.ReplaceActivation(to="SiLU", blend=0)),
    "ReplaceLayer": ("stack", gw.ReplaceLayer(new={"layer": "Linear", "in_features": 8, "out_features": 8})),
    "Sequence": ("convolutions", gw.Sequence(operators=(gw.Widen(), gw.GaussianNoise(), gw.Narrow(by="last")))),
    "Widen": ("convolutions", gw.Widen()),
    "Widen by noise on both sides": ("convolutions", gw.Widen(num_units=3, init="noise", placement="both")),
    "Widen the size of heads": ("attention", gw.Widen("qkv[2]", num_units=2)),
    "Widen the size of heads, four times": ("attention", gw.Widen("qkv[2]", factor=4)),
    "Widen by pairs": ("convolutions", gw.Widen(num_units=4, init="pair")),
    "Widen silently": ("convolutions", gw.Widen(num_units=3, init="silent")),
    "WidenStream": ("attention", gw.WidenStream(num_units=4)),
    "WidenStream by repeating": ("attention", gw.WidenStream(factor=2, init="replicate")),
}


def repairable(name: str, dtype: torch.dtype) -> tuple[torch.nn.Module, Any]:
    """Return a network with units that are constant, or copies of others, so that their readers are repaired."""
    model, example = base("mlp", torch.float64)
    first: Any = model[0]  # type: ignore[index]
    for gone, kept in ((1, None), (4, None)) if name == "constant" else ((2, 0), (5, 3)):
        first.weight.data[gone] = 0 if kept is None else first.weight.data[kept]
        first.bias.data[gone] = gone / 3 if kept is None else first.bias.data[kept]
    return model.to(dtype), example.to(dtype)


def base(name: str, dtype: torch.dtype) -> tuple[torch.nn.Module, Any]:
    """Return a network whose values come from integer arithmetic alone, and an input for it."""
    if name in ("constant", "copies"):
        return repairable(name, dtype)
    room: Any = networks if name in networks.NETWORKS else wide_networks
    model, example = room.make(name)
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.is_floating_point():
            count = torch.arange(tensor.numel())
            values = ((count * 29 % 83) - 41).double() / 64.0
            tensor.data.copy_((values.abs() + 0.5 if tensor.dim() == 1 else values).reshape(tensor.shape))
    return model.to(dtype), example.to(dtype) if example.is_floating_point() else example


def made(label: str, dtype: str) -> str:
    network, operator = OPERATORS[label]
    model, example = base(network, getattr(torch, dtype))
    return gw.fingerprint(gw.mutate(model, operator, seed="golden", example=example))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("label", OPERATORS)
def test_bytes_are_those_that_were_written_down(label: str, dtype: str) -> None:
    assert made(label, dtype) == json.loads(GOLDEN.read_text())[label][dtype]


def test_every_operator_of_architecture_has_golden_bytes() -> None:
    ours = {cls.__name__ for cls in registered().values() if ".architecture." in cls.__module__}
    elsewhere = {"SwapLayers"}  # layers of one form are alike here: tests/operators/test_golden.py has two that differ
    assert {type(operator).__name__ for _, operator in OPERATORS.values()} | elsewhere == ours | {"Sequence"}


@pytest.mark.parametrize("label", OPERATORS)
def test_settings_are_written_as_they_were(label: str) -> None:
    """A renamed setting would leave old recipes unreadable."""
    assert OPERATORS[label][1].to_json() == json.loads(GOLDEN.read_text())[label]["operator"]


if __name__ == "__main__":  # python -m tests.operators.architecture.test_golden: writes the file anew
    table = {
        label: {"operator": operator.to_json(), **{dtype: made(label, dtype) for dtype in ("float32", "float64")}}
        for label, (_, operator) in OPERATORS.items()
    }
    GOLDEN.write_text(json.dumps(table, indent=1) + "\n")
