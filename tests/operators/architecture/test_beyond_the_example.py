"""A mutant runs wherever its original does: on other batches, lengths and image sizes, and in training."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw

IMAGE = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
SEQUENCE = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(2))


def classifier(middle: nn.Module, channels: int = 4) -> nn.Module:
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 2))
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), middle, *head).eval()


def assert_same_everywhere(model: nn.Module, mutant: nn.Module, *inputs: torch.Tensor) -> None:
    for x in inputs:
        assert torch.allclose(mutant(x), model(x), atol=1e-5)


OTHER_IMAGES = [torch.randn(5, 3, 8, 8), torch.randn(1, 3, 9, 9), torch.randn(2, 3, 11, 7)]


@pytest.mark.parametrize(
    "convolution", [nn.Conv2d(4, 6, 3, 2), nn.Conv2d(4, 6, 3, 2, 1), nn.Conv2d(4, 6, 2), nn.Conv2d(4, 6, 2, 3, 1)]
)
def test_a_skip_around_a_convolution_fits_at_every_size(convolution: nn.Module) -> None:
    model = classifier(convolution, 6)
    assert_same_everywhere(model, gw.mutate(model, gw.AddSkip("1"), seed=1, example=IMAGE), *OTHER_IMAGES)


@pytest.mark.parametrize(
    "pooling", [nn.MaxPool2d(3, 2), nn.AdaptiveAvgPool2d(8), nn.Sequential(nn.Conv2d(4, 4, 3, 2), nn.ReLU())]
)
def test_a_skip_that_fits_at_the_examples_size_alone_is_refused(pooling: nn.Module) -> None:
    with pytest.raises(gw.UnsupportedError, match="9 in place of 8"):
        gw.mutate(classifier(pooling), gw.AddSkip("1"), seed=1, example=IMAGE)


def test_the_seed_takes_no_layer_that_keeps_the_shape_by_chance() -> None:
    model = classifier(nn.Sequential(nn.AdaptiveAvgPool2d(8), nn.ReLU()))
    for seed in range(8):
        assert_same_everywhere(model, gw.mutate(model, gw.AddSkip(), seed=seed, example=IMAGE), *OTHER_IMAGES)


class Turned(nn.Module):
    """A sequence whose features lie behind the batch for a while, and last again."""

    def __init__(self, middle: nn.Module) -> None:
        super().__init__()
        self.first, self.middle, self.last = nn.Linear(4, 6), middle, nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.middle(self.first(x).transpose(1, 2)).transpose(1, 2))


class Recurrent(nn.Module):
    """A convolution over time, and a recurrent layer behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.cells = nn.Conv1d(4, 6, 3, padding=1), nn.GRU(6, 5, batch_first=True)
        self.act, self.last = nn.Tanh(), nn.Linear(5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.cells(self.first(x.transpose(1, 2)).transpose(1, 2))
        return self.last(self.act(states))


@pytest.mark.parametrize(
    ("model", "after"),
    [(Turned(nn.Identity()), "middle"), (Turned(nn.ReLU()), "middle"), (Recurrent(), "cells"), (Recurrent(), "act")],
)
def test_a_new_layer_works_on_the_features_wherever_they_lie(model: nn.Module, after: str) -> None:
    model.eval()
    mutant = gw.mutate(model, gw.InsertLayer(after=after), seed=1, example=SEQUENCE)
    assert_same_everywhere(model, mutant, torch.randn(3, 5, 4), torch.randn(1, 9, 4))


class Deep(nn.Module):
    """Two heads: one is for training alone."""

    def __init__(self, *, literal: bool = False) -> None:
        super().__init__()
        self.body, self.head, self.auxiliary = nn.Linear(4, 6), nn.Linear(6, 2), nn.Linear(6, 3)
        self.drop, self.literal = nn.Dropout(), literal

    def forward(self, x: torch.Tensor) -> Any:
        y = self.body(x).relu()
        if not self.training:
            return self.head(y)
        y = y.view(-1, 6) if self.literal else y
        return self.head(y), self.auxiliary(self.drop(y))


def test_a_head_that_runs_in_training_alone_follows() -> None:
    model, x = Deep().eval(), torch.randn(3, 4)
    mutant = gw.mutate(model, gw.Widen("body", num_units=2), seed=1, example=x)
    assert mutant.auxiliary.in_features == 8
    assert torch.allclose(mutant(x), model(x), atol=1e-6)
    assert [o.shape for o in mutant.train()(x)] == [(3, 2), (3, 3)]
    slim = gw.mutate(model, gw.Narrow("body", units=(1,)), seed=1, example=x)
    assert torch.equal(slim.auxiliary.weight, model.auxiliary.weight[:, [0, 2, 3, 4, 5]])


def test_what_would_fail_in_training_is_refused_and_named() -> None:
    with pytest.raises(gw.UnsupportedError, match=r"RemoveLayer|as a number"):
        gw.mutate(Deep(literal=True).eval(), gw.Widen("body", num_units=2), seed=1, example=torch.randn(3, 4))


def test_a_layer_that_was_taken_out_may_change_what_the_model_takes_and_the_plan_says_so() -> None:
    head = (nn.Flatten(), nn.Linear(256, 2))
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.AdaptiveAvgPool2d(8), *head).eval()
    plan = gw.plan(model, gw.RemoveLayer("1"), seed=1, example=IMAGE)
    assert "9 in place of 8, the mutant does not" in str(plan)
