"""Ctrl-C at any instant: real signals, hundreds of them, in the change, in the block and in the undo."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

import genewright as gw
from tests.alarms import alarms, at_many_instants, interrupted_after

INSTANTS = 60  # for each of six kinds of mutation
CASES: dict[str, Any] = {
    "dense": gw.GaussianNoise(std=1.0),
    "sparse": gw.GaussianNoise(std=1.0, rate=0.01),
    "unit masks": gw.GaussianNoise(std=1.0, rate=0.5, where=gw.where(units=[0, 2, 5])),
    "moved bits": gw.Shuffle(rate=0.5),
    "layers and shapes": gw.Widen("0", factor=1.5),
    "several": [gw.GaussianNoise(std=1.0), gw.Widen("0", factor=1.5), gw.Zero(rate=0.5)],
}


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(40, 60), nn.BatchNorm1d(60), nn.ReLU(), nn.Linear(60, 30))


@pytest.fixture(autouse=True)
def _handler() -> Iterator[None]:
    with alarms():
        yield
    torch.set_grad_enabled(True)  # a signal in the test's own `no_grad` may have left it off


def content(module: nn.Module) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in module.state_dict().items()} | {
        "attributes": repr(module).encode()
    }


@pytest.mark.parametrize("name", CASES)
def test_whatever_the_instant_every_byte_is_back(name: str) -> None:
    net, x = model(), torch.randn(4, 40)

    def work(net: nn.Module) -> None:
        with gw.mutated(net, CASES[name], seed=1, example=x) as mutant, torch.no_grad():
            mutant(x)  # the block: in training mode it moves running statistics, too

    def check(net: nn.Module) -> None:
        assert content(net) == before
        assert signal.getsignal(signal.SIGALRM) is handler
        assert _get_current_dispatch_mode_stack() == []  # torch's own state, whatever was interrupted

    work(net)
    before, handler = content(net), signal.getsignal(signal.SIGALRM)
    assert at_many_instants(INSTANTS, lambda: net, work, check) > INSTANTS / 3  # they did come while we worked


@pytest.mark.parametrize(("name", "instants"), [("dense", INSTANTS), ("sparse", INSTANTS), ("several", INSTANTS // 9)])
def test_a_mutation_in_place_is_whole_or_has_not_been(name: str, instants: int) -> None:
    base, x = model(), torch.randn(4, 40)
    before = content(base)
    after = content(gw.mutate(base, CASES[name], seed=1, example=x))

    def work(net: nn.Module) -> None:
        gw.mutate(net, CASES[name], seed=1, example=x, inplace=True)

    def check(net: nn.Module) -> None:
        assert content(net) in (before, after)

    assert at_many_instants(instants, model, work, check) > instants / 3


def test_a_signal_in_the_block_comes_at_once() -> None:
    net = model()
    with pytest.raises(KeyboardInterrupt), interrupted_after(60), gw.mutated(net, gw.Zero(rate=0.5), seed=1):  # noqa: PT012
        signal.raise_signal(signal.SIGALRM)
        pytest.fail("the block goes on")


def test_a_handler_that_the_block_sets_stays() -> None:
    net = model()

    def mine(number: int, frame: Any) -> None:
        """Do nothing."""

    with gw.mutated(net, gw.Zero(rate=0.5), seed=1):
        signal.signal(signal.SIGALRM, mine)
    assert signal.getsignal(signal.SIGALRM) is mine


def test_in_another_thread_no_handler_is_touched() -> None:
    handler = signal.getsignal(signal.SIGALRM)
    seen: list[Any] = []

    def work() -> None:
        with gw.mutated(model(), gw.Zero(rate=0.5), seed=1):
            seen.append(signal.getsignal(signal.SIGALRM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [handler]
