"""An optimizer in step with a model that changes shape."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw
from genewright.edits import Edit, Following, Gather, Place
from genewright.index import Index
from genewright.network import Network
from genewright.operator import Operator
from genewright.seeding import Noise
from tests.operators.architecture.networks import make


def _trained(model: nn.Module, example: torch.Tensor, kind: Any, **settings: Any) -> torch.optim.Optimizer:
    optimizer = kind(model.parameters(), **settings)
    for _ in range(2):
        optimizer.zero_grad()
        model(example).square().sum().backward()
        optimizer.step()
    return optimizer


@pytest.fixture
def widen(monkeypatch: pytest.MonkeyPatch) -> Any:
    """An operator that gives the hidden layer of an MLP one unit more, a copy of the first, and one that is new."""
    monkeypatch.setattr(sys.modules["genewright.operator"], "_registry", {})

    @dataclass(frozen=True, kw_only=True)
    class TwoUnitsMore(Operator):
        def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
            yield Gather(
                width="0",
                size=6,
                index=Index.of((*range(6), 0, -1)),
                places=(Place("0.weight"), Place("0.bias"), Place("2.weight", 1)),
                attributes=(Following("0", "out_features", 8), Following("2", "in_features", 8)),
            )

    return TwoUnitsMore()


@pytest.mark.parametrize(
    ("kind", "settings", "first", "second"),
    [
        (torch.optim.SGD, {"lr": 0.01, "momentum": 0.9}, "momentum_buffer", None),
        (torch.optim.Adam, {"amsgrad": True}, "exp_avg", "exp_avg_sq"),
        (torch.optim.AdamW, {}, "exp_avg", "exp_avg_sq"),
        (torch.optim.RMSprop, {"momentum": 0.5}, "momentum_buffer", "square_avg"),
        (torch.optim.Adagrad, {}, None, "sum"),
    ],
)
def test_state_moves_with_the_entries(widen: Any, kind: Any, settings: Any, first: Any, second: Any) -> None:
    model, example = make("mlp")
    optimizer = _trained(model, example, kind, **settings)
    old = copy.deepcopy(optimizer.state[model[0].weight])
    assert gw.mutate(model, widen, seed=1, inplace=True, optimizer=optimizer) is model
    state = optimizer.state[model[0].weight]
    if first is not None:
        assert torch.equal(state[first], torch.cat([old[first], old[first][:1], torch.zeros(1, 5)]))
    if second is not None:
        mean = old[second].mean().expand(1, 5)
        torch.testing.assert_close(state[second], torch.cat([old[second], old[second][:1], mean]))
    model(example).sum().backward()
    optimizer.step()


def test_state_that_cannot_move_starts_again_and_says_so(widen: Any) -> None:
    model, example = make("mlp")
    optimizer = _trained(model, example, torch.optim.Rprop)
    plan = gw.plan(model, widen, seed=1, inplace=True, optimizer=optimizer)
    assert "Rprop: 'step_size' of '0.weight' cannot be moved; its state starts again" in " ".join(plan.notes)
    with pytest.warns(UserWarning, match=r"Rprop: 'step_size' of '\d\.\w+' cannot be moved"):
        gw.mutate(model, widen, seed=1, inplace=True, optimizer=optimizer)
    model(example).sum().backward()
    optimizer.step()


def test_new_parameters_join_the_group_of_their_neighbours() -> None:
    model, example = make("stack")
    early, late = list(model.layers[0].parameters()), list(model.layers[1:].parameters())
    optimizer = torch.optim.AdamW([{"params": early, "lr": 1e-3}, {"params": late, "lr": 1e-4}])
    duplicate = gw.DuplicateBlock(block="layers.0")
    gw.mutate(model, duplicate, seed=1, example=example, inplace=True, optimizer=optimizer)
    held = [{id(p) for p in group["params"]} for group in optimizer.param_groups]
    assert {id(p) for p in model.layers[1].parameters()} <= held[0]
    assert held[0] | held[1] == {id(p) for p in model.parameters()}
    gw.mutate(model, gw.RemoveLayer(layer="layers.0"), seed=1, inplace=True, optimizer=optimizer)
    assert {id(p) for g in optimizer.param_groups for p in g["params"]} == {id(p) for p in model.parameters()}


def test_frozen_parameters_stay_out() -> None:
    model, example = make("stack")
    optimizer = torch.optim.SGD(model.layers[1:].parameters(), lr=0.1)
    gw.mutate(model, gw.DuplicateBlock(block="layers.1"), seed=1, example=example, inplace=True, optimizer=optimizer)
    held = {id(p) for p in optimizer.param_groups[0]["params"]}
    assert not held & {id(p) for p in model.layers[0].parameters()}


def test_undo_and_refusal_bring_the_state_back(widen: Any) -> None:
    model, example = make("mlp")
    optimizer = _trained(model, example, torch.optim.Adam)
    before = copy.deepcopy(optimizer.state_dict())

    def same() -> bool:
        now = optimizer.state_dict()
        equal = all(
            torch.equal(now["state"][i][key], value) for i, old in before["state"].items() for key, value in old.items()
        )
        return equal and now["param_groups"] == before["param_groups"]

    with gw.mutated(model, [widen, gw.InsertLayer(after="1")], seed=1, example=example, optimizer=optimizer):
        assert len(list(model.parameters())) == 8
    assert same()
    with pytest.raises(gw.UnknownNameError):
        gw.mutate(model, [widen, gw.RemoveLayer(layer="9")], seed=1, inplace=True, optimizer=optimizer)
    assert same()


def test_an_optimizer_needs_in_place_and_the_advice_works() -> None:
    model, example = make("mlp")
    optimizer = _trained(model, example, torch.optim.Adam)
    with pytest.raises(gw.SettingError, match=r"copy.deepcopy\(\(model, optimizer\)\)"):
        gw.mutate(model, gw.InsertLayer(after="1"), seed=1, example=example, optimizer=optimizer)
    other, theirs = copy.deepcopy((model, optimizer))
    gw.mutate(other, gw.InsertLayer(after="1"), seed=1, example=example, inplace=True, optimizer=theirs)
    before = gw.fingerprint(model)
    other(example).sum().backward()
    theirs.step()
    assert gw.fingerprint(model) == before


@pytest.mark.parametrize("optimizer", ["adam", torch.optim.SGD([nn.Parameter(torch.zeros(2))], lr=1.0)])
def test_what_is_no_optimizer_of_the_model_is_refused(optimizer: Any) -> None:
    model, example = make("mlp")
    with pytest.raises(gw.UnsupportedError, match="optimizer="):
        gw.mutate(model, gw.InsertLayer(), seed=1, example=example, inplace=True, optimizer=optimizer)
