"""The same mutants on several ways to run a network: what is planted is found, by its step, and nothing else is."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw
from tests.drawn_networks import Convolutional, Transformer, example, seeded
from tests.mutation_testing.nets import blobs, mlp


def eager(model: nn.Module, x: torch.Tensor) -> Any:
    with torch.no_grad():
        return model(x)


def saturating(model: Any, x: torch.Tensor) -> Any:
    """Run the model as a library would that cuts large weights off."""
    with torch.no_grad():
        model[0].weight.clamp_(-5, 5)
        return model(x)


def dividing(model: Any, x: torch.Tensor) -> Any:
    """Run the model as a library would that divides by each weight."""
    with torch.no_grad():
        return model(x) * (model[2].weight / model[2].weight).mean()


def refusing(model: Any, x: torch.Tensor) -> Any:
    if bool((model[4].weight == 0).any()):
        raise ValueError("a zero")
    return eager(model, x)


def test_a_planted_fault_is_found_and_shrunk_to_its_step() -> None:
    steps = gw.Sequence([gw.SignFlip(rate=0.1), gw.GaussianNoise(std=8.0, where="0.*"), gw.Shuffle(where="2.*")])
    net, before = mlp(), gw.fingerprint(mlp())
    found = gw.differential([eager, saturating], net, gw.Mutants(steps, sites="all"), blobs(), seed=1, count=2)
    assert gw.fingerprint(net) == before
    assert [one.mutant for one in sorted(found.inconsistencies, key=lambda one: one.mutant)] == [0, 1]
    for one in found.inconsistencies:
        assert one.kind == "distance"
        assert one.runs == ("saturating", "eager")  # the first is further from float64
        assert one.errors[0] > 0.01 > one.errors[1]
        assert [step["operator"] for step in one.steps] == ["gaussian_noise@1"]
    assert "saturating against eager" in str(found)


def test_crashes_and_values_that_are_not_finite_are_kinds_of_their_own() -> None:
    runs = {"eager": eager, "dividing": dividing, "refusing": refusing}
    zero = gw.Mutants((gw.Zero(rate=0.3, where="2.weight"), gw.Zero(rate=0.3, where="4.weight")), sites="all")
    found = gw.differential(runs, mlp(), zero, blobs(), seed=1, count=2)
    told = {(one.mutant, one.kind, one.runs) for one in found.inconsistencies}
    assert told >= {(0, "nonfinite", ("dividing", "eager")), (1, "crash", ("refusing", "eager"))}
    crash = next(one for one in found.inconsistencies if one.kind == "crash")
    assert crash.note == "ValueError: a zero"
    assert math.isinf(crash.errors[0])


def test_runs_that_agree_up_to_rounding_are_consistent() -> None:
    def double(model: nn.Module, x: torch.Tensor) -> Any:
        return eager(model.double(), x.double())

    found = gw.differential([eager, double], mlp(), gw.GaussianNoise(std=0.5), blobs(), seed=1, count=4)
    assert found.inconsistencies == ()
    with pytest.raises(gw.SettingError, match="two or more runs"):
        gw.differential([eager], mlp(), gw.Zero(), blobs(), seed=1)


def test_runs_of_one_name_are_told_apart_and_what_is_no_run_is_refused() -> None:
    def times(factor: float) -> Any:
        def run(model: nn.Module, x: torch.Tensor) -> Any:
            return factor * eager(model, x)

        return run

    found = gw.differential([times(1.0), times(3.0)], mlp(), gw.Zero(count=1), blobs(), seed=1, count=1)
    assert {one.runs for one in found.inconsistencies} == {("run 1", "run 0")}
    with pytest.raises(gw.SettingError, match="a run is a function of"):
        gw.differential(["tensorflow", "jax"], mlp(), gw.Zero(), blobs(), seed=1)  # type: ignore[list-item]


def compiled(model: nn.Module, x: torch.Tensor) -> Any:
    torch.compiler.reset()
    with torch.no_grad():
        return torch.compile(model)(x)


def exported(model: nn.Module, x: torch.Tensor) -> Any:
    with torch.no_grad():
        return torch.export.export(model, (x,)).module()(x)


NETS = {
    "convolutional": lambda: (seeded(lambda: Convolutional(3, 4, 1), 1), example((4, 2, 6, 6))),
    "transformer": lambda: (seeded(lambda: Transformer(2, 3, 5, 1, tied=True), 1), example((3, 4), tokens=True)),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the compiler
@pytest.mark.parametrize("name", NETS)
def test_torch_eager_compiled_and_exported_run_our_mutants_alike(name: str) -> None:
    net, x = NETS[name]()
    weights = gw.Sequence([gw.GaussianNoise(std=0.3), gw.SignFlip(rate=0.05)])
    mutants = gw.Mutants((weights, gw.DuplicateBlock(), gw.Widen()), sites="all")
    found = gw.differential([eager, compiled, exported], net, mutants, x, seed=1, count=3)
    assert found.inconsistencies == (), str(found)
    assert len(found.refused) <= 1


ON_KERAS = """
import json
import numpy as np, keras
import genewright as gw
from genewright.testing import KerasOn
keras.utils.set_random_seed(0)
net = keras.Sequential([
    keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3, activation="relu"), keras.layers.BatchNormalization(),
    keras.layers.Flatten(), keras.layers.Dense(12, activation="gelu"), keras.layers.Dense(3, activation="softmax"),
])
draw = np.random.default_rng(1)
data = draw.normal(size=(16, 8, 8, 1)).astype("float32"), draw.integers(0, 3, 16)
mutants = gw.Mutants((gw.Sequence([gw.GaussianNoise(std=0.3), gw.SignFlip(rate=0.05)]), gw.Zero(rate=0.3)), sites="all")
with KerasOn("tensorflow") as a, KerasOn("jax") as b, KerasOn("torch") as c:
    found = gw.differential({"tensorflow": a, "jax": b, "torch": c}, net, mutants, data, seed=1, count=4)
print(json.dumps([found.mutants, list(found.refused), str(found)]))
"""


@pytest.mark.slow
def test_keras_on_its_three_backends_runs_our_mutants_alike() -> None:
    for name in ("keras", "tensorflow", "jax"):
        pytest.importorskip(name)
    environment = {**os.environ, "KERAS_BACKEND": "torch", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", ON_KERAS], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    mutants, refused, said = json.loads(done.stdout.splitlines()[-1])
    assert (mutants, refused) == (4, [])
    assert "0 inconsistencies" in said, said
