"""Recipes: a few hundred bytes of JSON from which the same bytes come again, in any process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw
from tests.networks import make
from tests.test_conformance import OPERATORS

SEVERAL = gw.Sequence(
    operators=(
        gw.GaussianNoise(std=0.3, rate=0.5, relative_to="tensor"),
        gw.OneOf(operators=(gw.Shuffle(rate=0.5), gw.SwapUnits(rate=0.5)), weights=(2, 1)),
        gw.FactorNoise(std=0.2),
        gw.BitFlip(bits="mantissa", rate=0.1),  # type: ignore[arg-type]
        gw.Quantize(bits=6),
    )
)


@pytest.mark.parametrize("seed", [0, -7, 2**200, "a text — with ∞", b"\x00\xff", ""])
def test_every_kind_of_seed_survives_json(seed: Any, mlp: nn.Module) -> None:
    mutant = gw.mutate(mlp, gw.GaussianNoise(), seed=seed)
    recipe = gw.Recipe.from_json(gw.recipe(mutant).to_json())
    assert recipe.steps[0].seed == seed
    assert type(recipe.steps[0].seed) is type(seed)
    assert gw.fingerprint(gw.replay(recipe, mlp)) == gw.fingerprint(mutant)


def test_seeds_of_different_kinds_are_different_seeds(mlp: nn.Module) -> None:
    seeds: list[Any] = [1, "1", b"1", -1, 2**64 + 1]
    prints = {gw.fingerprint(gw.mutate(mlp, gw.GaussianNoise(), seed=seed)) for seed in seeds}
    assert len(prints) == len(seeds)


def test_numpy_integers_are_integers(mlp: nn.Module) -> None:
    import numpy as np

    mutant = gw.mutate(mlp, gw.GaussianNoise(), seed=np.int64(5))
    assert gw.recipe(mutant).steps[0].seed == 5
    assert gw.fingerprint(mutant) == gw.fingerprint(gw.mutate(mlp, gw.GaussianNoise(), seed=5))


_ON_WEIGHTS = [n for n, operator in OPERATORS.items() if ".weights." in type(operator).__module__]


@pytest.mark.parametrize("name", _ON_WEIGHTS)
def test_a_recipe_of_one_operator_is_a_few_hundred_bytes(name: str, mlp: nn.Module) -> None:
    text = gw.recipe(gw.mutate(mlp, OPERATORS[name], seed=246)).to_json()
    assert len(text) < 600
    assert gw.Recipe.from_json(text).to_json() == text


def test_a_recipe_is_a_file_too(mlp: nn.Module, tmp_path: Path) -> None:
    recipe = gw.recipe(gw.mutate(mlp, SEVERAL, seed=1))
    recipe.save(tmp_path / "r.json")
    assert gw.Recipe.load(tmp_path / "r.json") == recipe == gw.read_recipe(tmp_path / "r.json")


def test_a_mutant_of_a_mutant_continues_its_recipe(mlp: nn.Module) -> None:
    first = gw.mutate(mlp, gw.GaussianNoise(), seed=1)
    second = gw.mutate(first, gw.Zero(rate=0.5), seed=2)
    recipe = gw.recipe(second)
    assert [s.operator.name for s in recipe.steps] == ["gaussian_noise", "zero"]
    assert recipe.base == gw.fingerprint(mlp)
    assert gw.fingerprint(gw.replay(recipe, mlp)) == gw.fingerprint(second)
    assert len(gw.recipe(first).steps) == 1


def test_a_mutant_that_was_trained_starts_a_recipe_with_its_parent(mlp: nn.Module) -> None:
    first = gw.mutate(mlp, gw.GaussianNoise(), seed=1)
    with torch.no_grad():
        first[0].weight += 1
    trained = gw.fingerprint(first)
    recipe = gw.recipe(gw.mutate(first, gw.Zero(rate=0.5), seed=2))
    assert recipe.base == trained
    assert recipe.parent is not None
    assert recipe.parent.base == gw.fingerprint(mlp)
    assert gw.Recipe.from_json(recipe.to_json()) == recipe


def test_a_replay_in_place_is_the_model_itself(mlp: nn.Module) -> None:
    recipe = gw.recipe(gw.mutate(mlp, SEVERAL, seed=1))
    again = gw.replay(recipe, mlp, inplace=True)
    assert again is mlp
    assert gw.fingerprint(mlp) == recipe.result
    assert gw.recipe(mlp) == recipe


_CHILD = """
import sys, pathlib
import torch
torch.set_num_threads(int(sys.argv[1]))
import genewright as gw
folder = pathlib.Path(sys.argv[2])
for name in sys.argv[3:]:
    base = gw.read_checkpoint(folder / f"{name}.safetensors")
    mutant = gw.replay(gw.Recipe.load(folder / f"{name}.json"), base)
    print(gw.fingerprint(mutant))
"""


@pytest.mark.parametrize(("threads", "hash_seed"), [(1, "0"), (3, "4242")])
def test_it_replays_in_another_process_thread_count_and_hash_seed(threads: int, hash_seed: str, tmp_path: Path) -> None:
    names = ["mlp", "conv_batchnorm", "mlp_bfloat16", "mlp_float64", "tied_autoencoder"]
    wanted = []
    for name in names:
        base = make(name)
        gw.save(base, tmp_path / f"{name}.safetensors")
        mutant = gw.mutate(base, SEVERAL, seed=f"seed of {name}")
        gw.recipe(mutant).save(tmp_path / f"{name}.json")
        wanted.append(gw.fingerprint(mutant))
    environment = {
        **os.environ,
        "PYTHONHASHSEED": hash_seed,
        "OMP_NUM_THREADS": str(threads),
        "NUMBA_NUM_THREADS": str(threads),
    }
    command = [sys.executable, "-c", _CHILD, str(threads), str(tmp_path), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == wanted


def test_the_json_of_a_recipe_is_what_it_was() -> None:
    """Recipes are kept for years: entries may be added, and none renamed."""
    recipe = gw.Recipe(base="b3:1", steps=(), result="b3:2")
    assert json.loads(recipe.to_json()) == {
        "genewright": 1,
        "noise": "gw1",
        "base": "b3:1",
        "steps": [],
        "result": "b3:2",
    }
    step = gw.Recipe.from_json(WRITTEN_LONG_AGO).steps[0]
    assert step.operator == gw.GaussianNoise(std=10, rate=0.3, where="0.*")
    assert (step.seed, step.path) == (246, "/0")


WRITTEN_LONG_AGO = (
    '{"genewright":1,"noise":"gw1","base":"b3:1","steps":[{"operator":"gaussian_noise","settings":{"rate":0.3,'
    '"where":["0.*"],"relative_to":"none","rounding":"nearest","std":10.0},"seed":246,"path":"/0"}],"result":"b3:2"}'
)
