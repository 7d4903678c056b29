"""Runs on shapes leave no tensors without values in caches of functions; runs on values choose as the model does."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
import torch
from torch import nn

import genewright as gw


@functools.lru_cache(maxsize=4)
def places_on(length: int, device: torch.device) -> torch.Tensor:
    return torch.arange(length, dtype=torch.float32, device=device) * 0.5 + 1


@functools.cache
def places(length: int) -> torch.Tensor:
    return torch.arange(length, dtype=torch.float32) * 0.5 + 1


def _wrapped(kept: Callable[[int], torch.Tensor]) -> Callable[[int], torch.Tensor]:
    @functools.wraps(kept)
    def call(length: int) -> torch.Tensor:
        return kept(length)

    return call


wrapped_places = _wrapped(functools.lru_cache(lambda length: torch.arange(length, dtype=torch.float32) * 0.5 + 1))


class _OnDevice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(3, 4), nn.Linear(4, 2)

    def places(self, x: torch.Tensor) -> torch.Tensor:
        return places_on(x.shape[1], x.device)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last((self.first(x) + self.places(x)[:, None]).relu())


class _Anywhere(_OnDevice):
    def places(self, x: torch.Tensor) -> torch.Tensor:
        return places(x.shape[1])


class _Wrapped(_OnDevice):
    def places(self, x: torch.Tensor) -> torch.Tensor:
        return wrapped_places(x.shape[1])


class _Method(_OnDevice):
    @staticmethod
    @functools.lru_cache
    def kept(length: int) -> torch.Tensor:
        return torch.arange(length, dtype=torch.float32) * 0.5 + 1

    def places(self, x: torch.Tensor) -> torch.Tensor:
        return self.kept(x.shape[1])


@pytest.mark.parametrize("kind", [_OnDevice, _Anywhere, _Wrapped, _Method])
@pytest.mark.parametrize("length", [5, 6])
def test_a_cache_of_places_is_no_obstacle_and_holds_values_afterwards(kind: type[_OnDevice], length: int) -> None:
    torch.manual_seed(0)
    net, x = kind().eval(), torch.randn(1, length, 3)
    if length == 6:
        net(x)  # the cache holds values already
    grown = gw.mutate(net, [gw.GrowInputs(), gw.GrowOutputs(num_units=2)], seed=1, example=x)
    given = torch.cat([x, torch.randn(1, length, 1)], -1)
    assert torch.allclose(grown(given)[..., :2], net(x), atol=1e-6)
    assert net(x).device.type == "cpu"


def test_a_cache_that_holds_values_alone_is_left_alone() -> None:
    held = places(17)
    gw.mutate(_OnDevice(), gw.Widen("first"), seed=1, example=torch.randn(1, 5, 3))
    assert places(17) is held


class _Routed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(9, 4), nn.Linear(4, 9)
        self.experts = nn.ModuleList(nn.Linear(4, 4) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.words(x)
        for expert in h.argmax(-1).unique().tolist():
            h = h + self.experts[expert](h).tanh()
        return self.head(h)


def test_a_model_that_chooses_its_layers_by_values_chooses_as_before() -> None:
    torch.manual_seed(0)
    net, x = _Routed().eval(), torch.arange(8).reshape(1, 8)
    assert len(net.words(x).argmax(-1).unique()) > 2
    mutant = gw.mutate(net, gw.ResizeVocabulary(12), seed=1, example=x)
    assert torch.allclose(mutant(x)[..., :9], net(x), atol=1e-6)
