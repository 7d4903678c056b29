"""What of a model's output is compared: whatever it returns, an operator that lies about keeping it is caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import genewright as gw
from genewright.backends.torch.predict import predict
from tests.test_transaction import LyingNoise


@dataclass
class Record:
    label: str
    scores: Any


class Holder:
    def __init__(self, scores: Any) -> None:
        self.itself, self.scores = self, [scores]


RETURNED: dict[str, Callable[[torch.Tensor], Any]] = {
    "a tensor": lambda y: y,
    "a tuple": lambda y: ("text", (None, y)),
    "a dict of lists": lambda y: {"scores": [y]},
    "a dataclass": lambda y: Record("cat", y),
    "a dataclass in a tuple": lambda y: (y.detach() * 0, Record("cat", y)),
    "an object": Holder,
    "a generator": lambda y: (each for each in y),
    "an array": lambda y: y.detach().numpy(),
    "a number": lambda y: float(y.sum()),
    "a number beside a tensor": lambda y: (torch.zeros(2), float(y.sum())),
    "numbers in an object": lambda y: Holder([float(each) for each in y.flatten()]),
    "a dtype of two bytes": lambda y: y.half(),
}


class Returning(nn.Module):
    def __init__(self, form: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2)
        self._form = form

    def forward(self, x: torch.Tensor) -> Any:
        return self._form(self.fc(x))


@pytest.mark.parametrize("what", RETURNED)
def test_an_operator_that_lies_is_caught_whatever_the_model_returns(what: str) -> None:
    net = Returning(RETURNED[what])
    for way in (gw.plan, gw.mutate):
        with pytest.raises(gw.FunctionError, match="LyingNoise would change the outputs by"):
            way(net, LyingNoise(), seed=1, example=torch.ones(4, 3))


def test_a_claim_on_what_cannot_be_compared_is_refused() -> None:
    net = Returning(lambda y: f"{y.sum():.3f}")
    for way in (gw.plan, gw.mutate):
        with pytest.raises(gw.UnsupportedError, match="returns neither tensors nor numbers"):
            way(net, LyingNoise(), seed=1, example=torch.ones(4, 3))
    assert gw.mutate(net, gw.Zero(rate=1.0), seed=1, example=torch.ones(4, 3)).fc.weight.abs().sum() == 0


def test_tensors_come_first_and_a_size_beside_them_is_no_output() -> None:
    net = Returning(lambda y: (2.5, {"size": 7, "scores": y}, np.arange(2)))
    scores, number, array = predict(net, torch.ones(1, 3))
    assert scores.shape == (1, 2)
    assert float(number) == 2.5
    assert array.tolist() == [0, 1]
