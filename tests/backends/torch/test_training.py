"""Widening in the middle of training: the next steps are sane, and averaged copies come along."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import genewright as gw
from tests.operators.architecture.networks import make


def _task() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(256, 6, generator=generator)
    return x, (x[:, :2].prod(1) + x[:, 2:4].prod(1) > 0).long()


def _loss(model: nn.Module) -> torch.Tensor:
    x, y = _task()
    return nn.functional.cross_entropy(model(x), y)


def _trained(optimizer_kind: Any, steps: int = 150, **settings: Any) -> tuple[nn.Sequential, Any, AveragedModel]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 2))
    optimizer = optimizer_kind(model.parameters(), **settings)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    _train(model, optimizer, average, steps)
    return model, optimizer, average


def _train(model: nn.Module, optimizer: Any, average: AveragedModel, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        _loss(model).backward()
        optimizer.step()
        average.update_parameters(model)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
        (torch.optim.Adam, {"lr": 0.01}),
        (torch.optim.AdamW, {"lr": 0.01, "amsgrad": True}),
        (torch.optim.NAdam, {"lr": 0.01}),
        (torch.optim.RAdam, {"lr": 0.01}),
        (torch.optim.Adamax, {"lr": 0.01}),
    ],
)
@pytest.mark.parametrize("init", ["split", "silent"])
def test_training_goes_on_as_if_nothing_had_happened(kind: Any, settings: Any, init: Any) -> None:
    model, optimizer, average = _trained(kind, **settings)
    before = _loss(model).item()
    gw.mutate(
        model,
        [gw.Widen(name, num_units=6, init=init) for name in "02"],
        seed=1,
        example=_task()[0],
        inplace=True,
        optimizer=[optimizer, average],
    )
    assert abs(_loss(model).item() - before) < 1e-5
    losses = [before]
    for _ in range(20):
        _train(model, optimizer, average, 1)
        losses.append(_loss(model).item())
    assert max(losses) < 1.1 * before
    assert losses[-1] < before


def test_the_first_step_of_adam_is_no_larger_for_new_entries() -> None:
    model, optimizer, _ = _trained(torch.optim.Adam, steps=1500, lr=0.001)
    widen = gw.Widen("2", num_units=6, init="silent")
    gw.mutate(model, widen, seed=1, example=_task()[0], inplace=True, optimizer=optimizer)
    fresh, state = copy.deepcopy((model, optimizer))
    for parameter in fresh[4].parameters():  # what leaving new second moments at zero would do
        if parameter.dim() == 2:
            state.state[parameter]["exp_avg_sq"][:, 12:] = 0
    largest: list[float] = []
    for net, opt in ((model, optimizer), (fresh, state)):
        old = net[4].weight.detach().clone()
        opt.zero_grad()
        _loss(net).backward()
        opt.step()
        largest.append(float((net[4].weight.detach() - old)[:, 12:].abs().max()))
    assert largest[0] < 0.001  # the learning rate
    assert largest[1] > 2.5 * 0.001


@pytest.mark.parametrize("wrapped", [True, False])
def test_an_average_grows_alike_and_keeps_its_own_function(wrapped: bool) -> None:
    model, optimizer, average = _trained(torch.optim.Adam, lr=0.01)
    x = _task()[0]
    held = average if wrapped else average.module
    with torch.no_grad():
        expected, first = average(x), average.module[0].weight.clone()
    operators = [gw.Widen("0", num_units=5), gw.InsertLayer(after="1", layer="identity"), gw.GaussianNoise(std=0.1)]
    gw.mutate(model, operators, seed=1, example=x, inplace=True, optimizer=(optimizer, held))
    with torch.no_grad():
        torch.testing.assert_close(average(x), expected, rtol=0, atol=1e-5)
    assert not torch.equal(average.module[0].weight[:12], model[0].weight[:12])
    assert torch.equal(average.module[0].weight[:12], first)
    assert [p.shape for p in average.module.parameters()] == [p.shape for p in model.parameters()]
    average.update_parameters(model)


def test_undo_and_refusal_bring_the_average_back() -> None:
    model, optimizer, average = _trained(torch.optim.Adam, steps=5, lr=0.01)
    x, before = _task()[0], gw.fingerprint(average.module)
    with gw.mutated(model, gw.Widen("0", num_units=5), seed=1, example=x, optimizer=[optimizer, average]):
        assert average.module[0].out_features == 17
    assert gw.fingerprint(average.module) == before
    operators = [gw.Widen("0", num_units=5), gw.RemoveLayer("nowhere")]
    with pytest.raises(gw.UnknownNameError):
        gw.mutate(model, operators, seed=1, example=x, inplace=True, optimizer=[average])
    assert gw.fingerprint(average.module) == before


def test_what_is_no_average_of_the_model_is_refused() -> None:
    model, x = make("mlp")
    others: list[Any] = [model, nn.Linear(2, 2), [torch.optim.SGD(model.parameters(), lr=1.0), "average"]]
    for other in others:
        with pytest.raises(gw.UnsupportedError, match="optimizer="):
            gw.mutate(model, gw.InsertLayer(), seed=1, example=x, inplace=True, optimizer=other)
