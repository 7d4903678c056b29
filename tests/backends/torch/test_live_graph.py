"""Layers resized in the middle of an ordinary training loop, where `loss` still holds the last graph."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw
from genewright.operator import Operator

X, Y = torch.randn(8, 2, 6, 6), torch.randn(8, 3)


def net() -> nn.Sequential:
    torch.manual_seed(0)
    layers = nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5), nn.ReLU(), nn.Linear(5, 3)
    return nn.Sequential(*layers)


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> torch.Tensor:
    optimizer.zero_grad()
    loss = (model(X) - Y).square().mean()
    loss.backward()
    optimizer.step()
    return loss


def trained(model: nn.Module, change: Any, *, hold: bool) -> nn.Module:
    """Train two steps, change the model, train three steps more; `hold` keeps all graphs alive."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    held = [step(model, optimizer) for _ in range(2)]
    if not hold:
        held.clear()
    change(model, optimizer)
    for _ in range(3):
        loss = step(model, optimizer)
        held += [loss] if hold else []
    return model


@pytest.mark.parametrize(
    "operator", [gw.Widen("3", factor=2), gw.Widen("0", factor=2), gw.Narrow("3", num_units=3), gw.GrowKernel("0")]
)
def test_training_goes_on_as_if_no_graph_were_alive(operator: Operator) -> None:
    def change(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        gw.mutate(model, operator, seed=1, example=X, inplace=True, optimizer=optimizer)

    assert gw.fingerprint(trained(net(), change, hold=True)) == gw.fingerprint(trained(net(), change, hold=False))


def test_leaving_a_mutation_for_a_while_too() -> None:
    def change(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        with gw.mutated(model, gw.Widen("3", factor=2), seed=1, example=X, optimizer=optimizer):
            inside.append(step(model, optimizer))

    inside: list[torch.Tensor] = []
    assert gw.fingerprint(trained(net(), change, hold=True)) == gw.fingerprint(trained(net(), change, hold=False))


def test_the_last_graph_itself_is_stale_and_torch_says_so() -> None:
    model = net()
    loss = model(X).sum()
    gw.mutate(model, gw.Widen("3", factor=2), seed=1, example=X, inplace=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_hooks_of_a_parameter_stay(dtype: torch.dtype) -> None:
    model = net().to(dtype)
    seen: list[tuple[int, ...]] = []
    model[3].weight.register_hook(lambda gradient: seen.append(tuple(gradient.shape)))
    model[3].weight.register_post_accumulate_grad_hook(lambda parameter: seen.append(tuple(parameter.shape)))
    loss = model(X.to(dtype)).sum()
    gw.mutate(model, gw.Widen("3", factor=2), seed=1, example=X, inplace=True)
    model(X.to(dtype)).sum().backward()
    assert seen == [(10, 144), (10, 144)]
    assert loss.grad_fn is not None
