"""Models that draw when they run: the same draws every time, and torch's global generator stays where it is."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import nn

from genewright.backends.torch.draws import OwnDraws, _with_generator
from genewright.backends.torch.predict import predict

X = torch.linspace(0.1, 1, 64).reshape(4, 16)
DRAWS: dict[str, Callable[[], torch.Tensor]] = {
    "bernoulli": lambda: torch.bernoulli(X),
    "dropout": lambda: F.dropout(X, 0.5, training=True),
    "dropout in attention": lambda: F.scaled_dot_product_attention(X[None], X[None], X[None], dropout_p=0.5),
    "exponential": lambda: torch.empty(8).exponential_(),
    "gumbel": lambda: F.gumbel_softmax(X),
    "multinomial": lambda: torch.multinomial(X, 3),
    "native dropout": lambda: torch.native_dropout(X, 0.5, True)[0],
    "normal": lambda: torch.normal(X, X),
    "rand": lambda: torch.rand(5),
    "rand_like": lambda: torch.rand_like(X),
    "randint": lambda: torch.randint(0, 100, (5,)),
    "randint from 0": lambda: torch.randint(100, (5,)),
    "randn": lambda: torch.randn(5),
    "randn_like": lambda: torch.randn_like(X),
    "randperm": lambda: torch.randperm(9),
    "rrelu": lambda: F.rrelu(-X, training=True),
    "uniform": lambda: torch.empty(8).uniform_(),
}


class Drawing(nn.Module):
    def __init__(self, draw: Callable[[], torch.Tensor]) -> None:
        super().__init__()
        self.draw = draw

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.draw(), self.draw()


@pytest.mark.parametrize("what", DRAWS)
def test_a_model_draws_the_same_every_time_and_moves_no_generator(what: str) -> None:
    before = torch.random.get_rng_state()
    first, second = predict(Drawing(DRAWS[what]), torch.zeros(1))
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(1)
    again, _ = predict(Drawing(DRAWS[what]), torch.zeros(1))
    assert (first == again).all()
    assert (first != second).any()


def test_a_user_who_draws_meanwhile_gets_what_comes_next() -> None:
    """The global generator was once read before a run and written after it: another thread drew the same twice."""
    drawn: list[torch.Tensor] = []

    class Waits(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            thread = threading.Thread(target=lambda: drawn.append(torch.rand(3)))
            thread.start()
            thread.join()
            return x + torch.rand(1)

    predict(Waits(), torch.zeros(1))
    predict(Waits(), torch.zeros(1))
    assert not torch.equal(*drawn)


def test_a_generator_that_the_model_brings_is_used() -> None:
    own = torch.Generator().manual_seed(3)
    with OwnDraws():
        drawn = torch.rand(4, generator=own)
    assert torch.equal(drawn, torch.rand(4, generator=torch.Generator().manual_seed(3)))


def test_most_operations_take_a_generator_so_that_none_is_lent() -> None:
    for operation in (torch.ops.aten.rand.default, torch.ops.aten.randint.low, torch.ops.aten.bernoulli_.float):
        assert any(argument.name == "generator" for argument in _with_generator(operation)._schema.arguments)
    assert _with_generator(torch.ops.aten.native_dropout.default) is None


def test_a_compiled_module_still_runs_compiled() -> None:
    class Twice(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * x if torch.compiler.is_compiling() else 3 * x

    compiled = torch.compile(Twice(), backend="eager")
    assert predict(compiled, torch.ones(1))[0].tolist() == [2]  # type: ignore[arg-type]
