"""Whatever runs the user's model leaves nothing behind in it: the second answer is the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import genewright as gw
from genewright.backends.torch.predict import predict


class Cache:
    def __init__(self) -> None:
        self.calls = 0
        self.keys: list[torch.Tensor] = []


class Policy(nn.Module):
    """Keeps a hidden state, a count, a cache, two buffers and a tensor from one call to the next."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encode, self.act = nn.Linear(3, 5), nn.Linear(5, 2)
        self.hidden: torch.Tensor | None = None
        self.count, self.cache, self.log = 0, Cache(), {"sizes": [0]}
        self.register_buffer("steps", torch.zeros(1))
        self.register_buffer("mean", torch.zeros(1), persistent=False)
        self.noise = torch.zeros(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.tanh(self.encode(x))
        if self.hidden is not None:
            h = h + self.hidden
        self.hidden = h[:1]
        self.count += 1
        self.cache.calls += 1
        self.cache.keys.append(h)
        self.log["sizes"].append(len(x))
        self.log[f"call {self.count}"] = []
        self.steps = self.steps + 1
        self.mean.add_(1)
        self.noise.mul_(0.5).add_(1)
        scale = self.count * self.cache.calls * len(self.log["sizes"]) + self.steps + self.mean + self.noise
        return self.act(h) * scale


X = torch.randn(6, 3)


def _held(model: Policy) -> tuple[Any, ...]:
    return (
        model.hidden, model.count, model.cache.calls, len(model.cache.keys), repr(model.log),
        model.steps.item(), model.mean.item(), model.noise.item(), gw.fingerprint(model), model.training,
    )  # fmt: skip


def _compare(model: nn.Module) -> Any:
    return gw.compare(model, gw.mutate(model, gw.GaussianNoise(std=0.1), seed=1), [X[:4], X[4:]])


def _plan(model: nn.Module) -> Any:
    return str(gw.plan(model, gw.Widen("encode", factor=2, init="noise"), seed=1, example=X))


def _knobs(model: nn.Module) -> Any:
    return str(gw.knobs(model, X))


def _refused(model: nn.Module) -> Any:
    with pytest.raises(gw.GenewrightError) as refused:
        gw.mutate(model, gw.Widen("act", factor=2), seed=1, example=X, inplace=True)
    return str(refused.value)


def _measure(model: nn.Module) -> Any:
    return str(gw.neurons.measure(model, [X[:4], X[4:]]))


def _predict(model: nn.Module) -> Any:
    return predict(model, X)[0].tolist()


@pytest.mark.parametrize("ask", [_compare, _plan, _knobs, _refused, _measure, _predict], ids=lambda ask: ask.__name__)
def test_the_second_answer_is_the_first_and_the_model_is_as_it_was(ask: Callable[[nn.Module], Any]) -> None:
    model = Policy()
    before = _held(model)
    first = ask(model)
    assert _held(model) == before
    assert ask(model) == first


def test_a_state_that_is_the_output_is_read_before_it_is_put_back() -> None:
    class Counter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("total", torch.zeros(3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.total.add_(x.sum(0))

    model = Counter()
    np.testing.assert_allclose(predict(model, X)[0], X.sum(0).numpy(), rtol=1e-6)
    assert model.total.tolist() == [0, 0, 0]


def test_batches_are_measured_each_from_the_state_of_the_model() -> None:
    model = Policy()
    both = gw.neurons.measure(model, [X, X])
    once = gw.neurons.measure(model, [X])
    assert np.allclose([unit["mean"] for unit in _rows(both)], [unit["mean"] for unit in _rows(once)])


def _rows(table: Any) -> list[dict[str, Any]]:
    return table.to_frame().to_dict("records")


def test_a_hook_that_takes_itself_off_is_put_back_on() -> None:
    model = nn.Linear(3, 2)
    handle = model.register_forward_hook(lambda *_: handle.remove())
    predict(model, X)
    assert len(model._forward_hooks) == 1


def test_a_width_that_a_kept_state_has_is_refused_by_its_name() -> None:
    class Policy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.out = nn.GRUCell(4, 6), nn.Linear(6, 2)
            self.hidden: torch.Tensor | None = None

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.hidden = self.cell(x, self.hidden)
            return self.out(self.hidden)

    policy, x = Policy(), torch.randn(3, 4)
    assert gw.mutate(policy, gw.Widen("cell", factor=2), seed=1, example=x).cell.hidden_size == 12
    policy(x)
    with pytest.raises(gw.UnsupportedError, match="the tensor 'hidden', an attribute that is no parameter, has this"):
        gw.mutate(policy, gw.Widen("cell", factor=2), seed=1, example=x)
