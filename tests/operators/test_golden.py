"""Golden fingerprints: a change of any byte of any operator is noticed.

To be changed only together with the version of what changed them: people replay recipes from years ago.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import genewright as gw
from genewright.backends.files.checkpoint import Checkpoint, Entry
from genewright.elements import encoded
from genewright.operator import registered
from tests.operators.architecture import test_golden as architecture
from tests.operators.units import test_golden as units

GOLDEN = Path(__file__).with_suffix(".json")

OPERATORS: dict[str, Any] = {
    "BitFlip": gw.BitFlip(rate=0.3),
    "BitFlip of the exponent": gw.BitFlip(rate=0.3, bits="exponent"),  # type: ignore[arg-type]
    "CauchyNoise": gw.CauchyNoise(scale=0.1),
    "DrawSettings": gw.DrawSettings(operator=gw.Zero(), ranges={"rate": (0.1, 0.6)}),
    "EvolutionNoise": gw.EvolutionNoise(std=0.3),
    "EvolutionNoise mirrored": gw.EvolutionNoise(std=0.3, mirrored=True, where=gw.where(units=[0, 2])),
    "EvolutionUpdate": gw.EvolutionUpdate(seeds=(5, 2**64 - 1), weights=(0.3, -0.1), weight_decay=0.1),
    "EvolutionNoise of low rank": gw.EvolutionNoise(std=0.5, rank=2, mirrored=True),
    "EvolutionNoise of some": gw.EvolutionNoise(std=0.5, rate=0.3, mirrored=True),
    "EvolutionUpdate of low rank": gw.EvolutionUpdate(seeds=(5, 6), weights=(0.3, -0.1), rank=2, rounding="stochastic"),
    "EvolutionUpdate of some": gw.EvolutionUpdate(seeds=(5, 6), weights=(0.3, -0.1), rate=0.3, optimizer="adam"),
    "EvolutionUpdate by Adam": gw.EvolutionUpdate(
        seeds=(1, 2, 3), weights=(0.3, -0.1, 1.0), sizes=(2, 1), optimizer="adam"
    ),
    "EvolutionUpdate by momentum": gw.EvolutionUpdate(
        seeds=(1, 2), weights=(0.3, -0.1), sizes=(1, 1), optimizer="momentum"
    ),
    "FaultAt": gw.FaultAt(operator=gw.BitFlip(), place=3000),
    "FactorNoise": gw.FactorNoise(std=0.3),
    "FactorNoise stochastic": gw.FactorNoise(std=0.3, rounding="stochastic", rate=0.5),
    "GaussianNoise": gw.GaussianNoise(std=10, rate=0.3),
    "GaussianNoise of chosen units": gw.GaussianNoise(std=1.0, where=gw.where(units=[0, 2])),
    "GaussianNoise relative to the tensor": gw.GaussianNoise(std=0.1, relative_to="tensor"),
    "GaussianNoise relative to the weight": gw.GaussianNoise(std=0.1, relative_to="weight", rounding="stochastic"),
    "LaplaceNoise": gw.LaplaceNoise(scale=0.1),
    "LowRankNoise": gw.LowRankNoise(std=0.3),
    "LowRankNoise of rank 3 and chosen units": gw.LowRankNoise(std=0.3, rank=3, where=gw.where(units=[0, 2])),
    "OneOf": gw.OneOf(operators=(gw.Zero(rate=0.5), gw.SignFlip(rate=0.5)), weights=(2, 3)),
    "MaskSmallest": gw.MaskSmallest(0.4),
    "MaskSmallest of all": gw.MaskSmallest(0.4, scope="all"),
    "Quantize": gw.Quantize(bits=3),
    "Quantize by unit": gw.Quantize(bits=4, per="unit"),
    "Reset to kaiming_normal": gw.Reset(init="kaiming_normal"),
    "Reset to truncated_normal": gw.Reset(init="truncated_normal", rate=0.5),
    "Reset to uniform": gw.Reset(init="uniform", bound=2.0),
    "Sequence": gw.Sequence(operators=(gw.GaussianNoise(), gw.GaussianNoise())),
    "Scale": gw.Scale(factor=-1 / 3, rate=0.5),
    "Scale by a count": gw.Scale(factor=2 / 3, count=20),
    "SetValue": gw.SetValue(value=1 / 3, rate=0.5),
    "SetWeights": gw.SetWeights(values=tuple(1 / at for at in range(1, 213)), where="*weight"),
    "SetWeights to one value": gw.SetWeights(values=(1 / 3,), where=gw.where("first.*", units=[0, 2])),
    "Shift": gw.Shift(amount=1 / 3, rate=0.5),
    "Shuffle": gw.Shuffle(rate=0.7),
    "SignFlip": gw.SignFlip(rate=0.5),
    "StuckAt": gw.StuckAt(rate=0.3),
    "StuckAt 0 of the exponent, by a count": gw.StuckAt(value=0, bits="exponent", count=30),  # type: ignore[arg-type]
    "SwapUnits": gw.SwapUnits(rate=0.8),
    "UniformNoise": gw.UniformNoise(bound=0.5),
    "Zero": gw.Zero(rate=0.5),
}


# Operators that share weights between layers need two of one form, and a donor.
SHARING: dict[str, Any] = {
    "Crossover": gw.Crossover("same"),
    "Crossover of elements": gw.Crossover("same", kind="uniform", rate=0.4),
    "Crossover of layers": gw.Crossover("same", kind="layer", where=gw.where("*", units=[0, 2, 3])),
    "Crossover by blending": gw.Crossover("same", kind="blend", t=0.3),
    "Crossover along the arc": gw.Crossover("same", kind="slerp", t=0.3),
    "Crossover of what is common": gw.Crossover("donor", rate=0.8, other_sizes="overlap"),
    "Rewind": gw.Rewind("same"),
    "SetWeights from another": gw.SetWeights("same", where="first.*"),
    "SwapLayers": gw.SwapLayers(),
    "Tie": gw.Tie("second", "first"),
    "Transfer": gw.Transfer("first", "second", fraction=0.6),
    "Transfer between layers that the seed chooses": gw.Transfer(),
    "Transfer of inputs": gw.Transfer("first.weight", "second.weight", fraction=0.4, axis="in"),
    "Transfer from a donor": gw.Transfer(donor="donor"),
    "Transfer from a donor by patterns": gw.Transfer("body.*.weight", "*.weight", donor="donor"),
    "Transfer from a donor of float32": gw.Transfer(donor="single"),
}
EVERY = OPERATORS | SHARING

SHAPES = {"first.weight": (7, 11), "first.bias": (7,), "conv.weight": (5, 3, 3, 3)}
TWO = {"first.weight": (7, 11), "first.bias": (7,), "second.weight": (7, 11), "second.bias": (7,)}
OTHER = {"first.weight": (9, 6), "second.weight": (4, 13), "second.bias": (4,), "body.first.weight": (8, 11)}


def base(dtype: str, shapes: dict[str, tuple[int, ...]] = SHAPES, step: int = 29) -> Checkpoint:
    """Return a checkpoint whose values come from integer arithmetic alone."""
    entries: dict[str, Entry] = {}
    for name, shape in shapes.items():
        count = np.arange(int(np.prod(shape)))
        values = ((count * step % 83) - 41) / 32.0
        entries[name] = Entry(dtype, shape, encoded(values, dtype).view(np.uint8))
    return Checkpoint(entries)


def made(label: str, dtype: str) -> str:
    if label in OPERATORS:
        return gw.fingerprint(gw.mutate(base(dtype), OPERATORS[label], seed="golden"))
    single = base("float32", OTHER, 37)
    single.entries["first.weight"].data.view(np.float32)[:] /= 3  # to be rounded
    donors = {"donor": base(dtype, OTHER, 31), "single": single, "same": base(dtype, TWO, 53)}
    return gw.fingerprint(gw.mutate(two(dtype), SHARING[label], seed="golden", donors=donors))


def two(dtype: str) -> Checkpoint:
    """Return a checkpoint of two layers of one form, with unequal values."""
    made = base(dtype, TWO)
    for name in ("second.weight", "second.bias"):
        entry = made.entries[name]
        made.entries[name] = Entry(dtype, entry.shape, base(dtype, {name: entry.shape}, 43).entries[name].data)
    return made


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("label", EVERY)
def test_bytes_are_those_that_were_written_down(label: str, dtype: str) -> None:
    assert made(label, dtype) == json.loads(GOLDEN.read_text())[label][dtype]


def test_every_operator_has_golden_bytes() -> None:
    """Those that need a model that runs have tables beside the tests of architecture and of units."""
    ours = {cls.__name__ for cls in registered().values() if cls.__module__.startswith("genewright.operators.")}
    tables = (EVERY, architecture.OPERATORS, units.OPERATORS)
    held = [row[1] if isinstance(row, tuple) else row for table in tables for row in table.values()]
    assert {type(operator).__name__ for operator in held} == ours


def test_every_operator_makes_other_bytes() -> None:
    golden = json.loads(GOLDEN.read_text())
    prints = [golden[label]["float16"] for label in EVERY]
    assert len(set(prints)) == len(prints)
    assert gw.fingerprint(base("float16")) not in prints
    assert gw.fingerprint(two("float16")) not in prints


@pytest.mark.parametrize("label", EVERY)
def test_settings_are_written_as_they_were(label: str) -> None:
    """A renamed setting would leave old recipes unreadable."""
    operator = EVERY[label]
    assert sorted(operator.settings()) == sorted(field.name for field in dataclasses.fields(operator))
    assert operator.to_json() == json.loads(GOLDEN.read_text())[label]["operator"]


if __name__ == "__main__":  # python -m tests.operators.test_golden: writes the file anew
    dtypes = ("float32", "float64", "float16", "bfloat16")
    table = {
        label: {"operator": operator.to_json(), **{dtype: made(label, dtype) for dtype in dtypes}}
        for label, operator in EVERY.items()
    }
    GOLDEN.write_text(json.dumps(table, indent=1) + "\n")
