"""Golden fingerprints of the operators on units, and of others that see a model run: a change of any byte is noticed.

To be changed only together with the version of what changed them: people replay recipes from years ago. What solves
equations in floating point (repair by least squares, merging of units that are only nearly alike) is left out: its last
bits are LAPACK's.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import genewright as gw
from genewright.operator import registered
from tests.operators.architecture.test_golden import base

GOLDEN = Path(__file__).with_suffix(".json")
OPERATORS: dict[str, tuple[str, Any]] = {
    "AlignTo": ("convolutions", gw.AlignTo()),
    "AlignTo by activations": ("mlp", gw.AlignTo(by="activations")),
    "BlockInputs": ("convolutions", gw.BlockInputs(rate=0.3)),
    "BlockInputs by a count": ("mlp", gw.BlockInputs(count=5)),
    "BlockUnits": ("convolutions", gw.BlockUnits(rate=0.3)),
    "BlockUnits by a count": ("convolutions", gw.BlockUnits(count=3)),
    "BlockUnits of what comes in": ("mlp", gw.BlockUnits(side="in", rate=0.3)),
    "FoldConstantUnits": ("constant", gw.FoldConstantUnits()),
    "InvertUnits": ("convolutions", gw.InvertUnits(rate=0.4, where="stem.*")),
    "InvertUnits by a count": ("mlp", gw.InvertUnits(count=3)),
    "MaskSmallest by units": ("convolutions", gw.MaskSmallest(by="l1")),
    "MergeUnits": ("copies", gw.MergeUnits()),
    "PruneUnits": ("convolutions", gw.PruneUnits()),
    "PruneUnits at random over all": ("mlp", gw.PruneUnits(fraction=0.4, by="random", scope="all")),
    "PruneUnits of parameters": ("convolutions", gw.PruneUnits(target="parameters", scope="all", by="l1")),
    "PruneUnits of multiplications": ("mlp", gw.PruneUnits(target="macs", by="l2")),
    "RecycleUnits": ("mlp", gw.RecycleUnits(where=gw.where(units={"0": [1, 4]}))),
    "RecycleUnits that are dormant": ("mlp", gw.RecycleUnits(threshold=0.9)),
    "SafeGaussianNoise": ("mlp", gw.SafeGaussianNoise(std=0.5)),
    "SafeGaussianNoise by absolute values": ("mlp", gw.SafeGaussianNoise(std=0.5, method="abs", rate=0.7)),
    "SafeGaussianNoise of the second order": ("mlp", gw.SafeGaussianNoise(std=0.5, method="second_order")),
    "SplitUnits": ("convolutions", gw.SplitUnits(rate=0.3)),
    "SplitUnits by a count": ("mlp", gw.SplitUnits(count=2)),
}


def made(label: str, dtype: str) -> str:
    network, operator = OPERATORS[label]
    model, example = base(network, getattr(torch, dtype))
    donors = {name: mate(network, getattr(torch, dtype)) for name in operator.donors()}
    return gw.fingerprint(gw.mutate(model, operator, seed="golden", example=example, donors=donors))


def mate(network: str, dtype: torch.dtype) -> torch.nn.Module:
    """Return a network of the same form with other values, again of integer arithmetic."""
    model, _ = base(network, dtype)
    for tensor in model.parameters():
        values = ((torch.arange(tensor.numel()) * 37 % 83) - 41).double() / 64.0
        tensor.data.copy_(values.reshape(tensor.shape))
    return model


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("label", OPERATORS)
def test_bytes_are_those_that_were_written_down(label: str, dtype: str) -> None:
    assert made(label, dtype) == json.loads(GOLDEN.read_text())[label][dtype]


def test_every_operator_on_units_has_golden_bytes() -> None:
    ours = {cls.__name__ for cls in registered().values() if ".operators.units." in cls.__module__}
    assert {type(operator).__name__ for _, operator in OPERATORS.values()} == ours | {
        "AlignTo",
        "MaskSmallest",
        "SafeGaussianNoise",
    }


def test_every_operator_makes_other_bytes() -> None:
    golden = json.loads(GOLDEN.read_text())
    prints = [golden[label]["float64"] for label in OPERATORS]
    prints += [gw.fingerprint(base(network, torch.float64)[0]) for network in {name for name, _ in OPERATORS.values()}]
    assert len(set(prints)) == len(prints)


@pytest.mark.parametrize("label", OPERATORS)
def test_settings_are_written_as_they_were(label: str) -> None:
    """A renamed setting would leave old recipes unreadable."""
    assert OPERATORS[label][1].to_json() == json.loads(GOLDEN.read_text())[label]["operator"]


if __name__ == "__main__":  # python -m tests.operators.units.test_golden: writes the file anew
    table = {
        label: {"operator": operator.to_json(), **{dtype: made(label, dtype) for dtype in ("float32", "float64")}}
        for label, (_, operator) in OPERATORS.items()
    }
    GOLDEN.write_text(json.dumps(table, indent=1) + "\n")
