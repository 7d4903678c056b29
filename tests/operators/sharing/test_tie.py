"""Tie: two layers with one memory from then on."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

import genewright as gw


def make() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.Linear(4, 3))


def test_layers_become_one_and_stay_one() -> None:
    net = make()
    mutant = gw.mutate(net, gw.Tie("0", "2"), seed=1)
    assert mutant[0].weight is mutant[2].weight
    assert mutant[0].bias is mutant[2].bias
    assert net[0].weight is not net[2].weight
    assert torch.equal(mutant[2].weight, net[0].weight)
    again = gw.mutate(mutant, gw.GaussianNoise(std=1.0), seed=2)
    assert again[0].weight is again[2].weight
    assert pickle.loads(pickle.dumps(again))[0].weight is not None
    assert copy.deepcopy(again)[0].weight.shape == (4, 4)
    again(torch.ones(1, 4)).sum().backward()
    assert again[0].weight.grad is again[2].weight.grad


def test_a_mutant_is_saved_and_loaded_tied(tmp_path: Path) -> None:
    mutant = gw.mutate(make(), [gw.Tie("0.weight", "2.weight"), gw.GaussianNoise(std=0.1)], seed=1)
    gw.save(mutant, tmp_path / "m.safetensors")
    again = gw.load(make, tmp_path / "m.safetensors")
    assert again[0].weight is again[2].weight
    assert gw.fingerprint(again) == gw.fingerprint(mutant)
    checkpoint = gw.read_checkpoint(tmp_path / "m.safetensors")
    assert gw.fingerprint(checkpoint) == gw.fingerprint(mutant)


def test_files_are_tied_as_models_are(tmp_path: Path) -> None:
    net = make()
    gw.save(net, tmp_path / "n.safetensors")
    operators = [gw.Tie("0.weight", "2.weight"), gw.GaussianNoise(std=0.1)]
    tied = gw.mutate(gw.read_checkpoint(tmp_path / "n.safetensors"), operators, seed=1)
    assert gw.fingerprint(tied) == gw.fingerprint(gw.mutate(net, operators, seed=1))
    gw.save(tied, tmp_path / "t.safetensors")
    read = gw.read_checkpoint(tmp_path / "t.safetensors")
    assert read.entries["0.weight"].data is read.entries["2.weight"].data


def test_undo_unties() -> None:
    net = make()
    first, second, before = net[0].weight, net[2].weight, gw.fingerprint(net)
    with gw.mutated(net, [gw.Tie("0", "2"), gw.GaussianNoise(std=1.0)], seed=1):
        assert net[0].weight is net[2].weight
    assert net[0].weight is first
    assert net[2].weight is second
    assert gw.fingerprint(net) == before


def test_refusals_say_both_shapes_and_change_nothing() -> None:
    net = make()
    before = gw.fingerprint(net)
    with pytest.raises(gw.UnsupportedError, match=r"\(3, 4\).*\(4, 4\)"):
        gw.mutate(net, gw.Tie("0", "3"), seed=1, inplace=True)
    with pytest.raises(gw.UnsupportedError, match="already"):
        gw.mutate(net, [gw.Tie("0", "2"), gw.Tie("0", "2")], seed=1, inplace=True)
    assert gw.fingerprint(net) == before
    assert net[0].weight is not net[2].weight


def test_the_seed_chooses_and_the_recipe_says_what() -> None:
    mutant = gw.mutate(make(), gw.Tie(), seed=1)
    step = gw.recipe(mutant).steps[0].operator
    assert {step.source, step.target} == {"0", "2"}
    assert gw.fingerprint(gw.replay(gw.recipe(mutant), make())) == gw.fingerprint(mutant)
