"""What a signal's handler raises leaves the work as it is, whatever it is: no error of the model is made of it.

The signals are real, and come in each of the model's runs; the handler is armed only where a test waits for it.
"""

from __future__ import annotations

import copy
import signal
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import genewright as gw
from genewright import interrupts
from genewright.backends.torch.structure import other_runs
from genewright.backends.torch.structure.trace_cache import TRACE_CACHE
from tests.alarms import alarms, interrupted_after


class LateError(Exception):
    """What a timeout of the user's raises; nobody but the test knows its type."""


class Signalling(nn.Module):
    """Sends a signal in one of its runs, and counts them; its copies count with it."""

    runs = 0
    at = 0

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 6), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        Signalling.runs += 1
        if Signalling.runs == Signalling.at:
            signal.raise_signal(signal.SIGUSR1)
        return self.second(torch.relu(self.first(x)))


X = torch.randn(2, 4)
WIDEN, DEEPEN = gw.Widen(layer="first", factor=1.5), gw.InsertLayer()


def block(net: nn.Module) -> None:
    with gw.mutated(net, WIDEN, seed=1, example=X):
        pass


def checked(net: nn.Module) -> None:
    gw.check_operator(WIDEN, {"signalling": (net, X)})


WORK: dict[str, Callable[[nn.Module], object]] = {
    "a copy": lambda net: gw.mutate(net, WIDEN, seed=1, example=X),
    "in place": lambda net: gw.mutate(net, WIDEN, seed=1, example=X, inplace=True),
    "plan": lambda net: gw.plan(net, WIDEN, seed=1, example=X),
    "mutated": block,
    "several": lambda net: gw.mutate(net, [gw.Zero(rate=0.5), DEEPEN], seed=1, example=X, inplace=True),
    "compare": lambda net: gw.compare(net, net, X),
    "knobs": lambda net: gw.knobs(net, X),
}


@pytest.fixture
def raised() -> Iterator[list[BaseException]]:
    """Have SIGUSR1 raise each of these in turn; yield what it raised."""
    made: list[BaseException] = []

    def handle(number: int, frame: Any) -> None:
        made.append((LateError, gw.GenewrightError, TimeoutError)[len(made) % 3]("time is up"))
        raise made[-1]

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        yield made
    finally:
        Signalling.at = 0
        signal.signal(signal.SIGUSR1, before)


def forget() -> None:
    """Forget how models run, so that each is run as the first of its form."""
    TRACE_CACHE.clear()
    other_runs._CACHE.clear()


def runs_of(work: Callable[[nn.Module], object], at: int) -> int:
    forget()
    Signalling.runs, Signalling.at = 0, at
    net = Signalling()
    before = copy.deepcopy(net.state_dict())
    try:
        work(net)
    except BaseException:
        after = net.state_dict()
        assert list(after) == list(before)
        assert all(torch.equal(after[name], before[name]) for name in before)
        assert "_genewright_recipe" not in vars(net)
        raise
    return Signalling.runs


@pytest.mark.parametrize("name", WORK)
def test_it_leaves_each_of_the_models_runs_as_it_is(name: str, raised: list[BaseException]) -> None:
    handler = signal.getsignal(signal.SIGUSR1)
    runs = runs_of(WORK[name], 0)
    assert runs > 1
    for at in range(1, runs + 1):
        with pytest.raises(BaseException) as caught:  # noqa: PT011  # which one is what is asked
            runs_of(WORK[name], at)
        assert caught.value is raised[-1], f"in run {at} of {runs}"
        assert signal.getsignal(signal.SIGUSR1) is handler
    assert len(raised) == runs


def test_a_check_of_an_operator_does_not_count_it_as_a_refusal(raised: list[BaseException]) -> None:
    runs = runs_of(checked, 0)
    for at in np.linspace(1, runs, 8).astype(int).tolist():
        with pytest.raises(BaseException) as caught:  # noqa: PT011
            runs_of(checked, at)
        assert caught.value is raised[-1], f"in run {at} of {runs}"


def test_what_the_block_catches_is_the_blocks_own(raised: list[BaseException]) -> None:
    net = Signalling()
    with gw.mutated(net, gw.Zero(rate=0.5), seed=1):
        Signalling.runs, Signalling.at = 0, 1
        with pytest.raises(BaseException) as caught:  # noqa: PT011
            gw.compare(net, net, X)
    assert caught.value is raised[-1]  # and leaving the block raises nothing


def test_the_next_work_is_as_if_nothing_had_been(raised: list[BaseException]) -> None:
    torch.manual_seed(0)
    net = Signalling()
    want = gw.fingerprint(gw.mutate(net, WIDEN, seed=1, example=X))
    for at in (1, 2, 3, 4):
        forget()
        Signalling.runs, Signalling.at = 0, at
        with pytest.raises(BaseException) as caught:  # noqa: PT011
            gw.mutate(net, WIDEN, seed=1, example=X)
        assert caught.value is raised[-1]
        assert gw.fingerprint(gw.mutate(net, WIDEN, seed=1, example=X)) == want


def test_at_whatever_instant_the_timeout_is_what_is_raised() -> None:
    net = nn.Sequential(nn.Linear(40, 60), nn.BatchNorm1d(60), nn.ReLU(), nn.Linear(60, 30))
    example, late = torch.randn(4, 40), 0
    with alarms(LateError):
        for instant in np.linspace(0.0005, 0.03, 40):
            forget()
            try:
                with interrupted_after(float(instant)):
                    gw.mutate(net, gw.Widen(layer="0", factor=1.5), seed=1, example=example)
            except LateError:
                late += 1
    assert late > 5  # and nothing else was raised


def test_at_whatever_instant_nothing_of_ours_stays_in_front() -> None:
    net, late = nn.Linear(8, 8), 0
    with alarms(LateError):
        handler = signal.getsignal(signal.SIGALRM)
        for instant in np.linspace(0.00002, 0.0009, 400):  # a mutation takes about as long
            try:
                with interrupted_after(float(instant)):
                    gw.mutate(net, gw.Zero(rate=0.5), seed=1, inplace=True)
                    gw.plan(net, gw.Zero(rate=0.5), seed=1)
            except LateError:
                late += 1
            assert signal.getsignal(signal.SIGALRM) is handler
            assert interrupts._active == []
    assert late > 100
