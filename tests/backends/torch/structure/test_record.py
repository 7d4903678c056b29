"""What is recorded is what every run does: not what only the first one does, and not what changes every time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

import genewright as gw
from genewright.backends.torch.structure.record import UnsteadyError, record
from genewright.backends.torch.structure.torch_widths import TorchWidths
from genewright.backends.torch.structure.trace_cache import TRACE_CACHE
from genewright.backends.torch.structure.trace_devices import Fake, Meta, Real, TraceDevice
from genewright.errors import UnsupportedError

RUNS: list[int] = []


class Counted(nn.Module):
    """Doubles its input as often as a count of all its runs says, which lies outside of it."""

    def __init__(self, times: Callable[[int], int], trace_device: type[TraceDevice] = Meta) -> None:
        super().__init__()
        self.wide, self.head = nn.Linear(4, 6), nn.Linear(6, 3)
        self.times, self.trace_device = times, trace_device

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.trace_device is Real:
            assert bool((x == x).all())
        if self.trace_device is Fake:
            assert x.device.type == "cpu"
        RUNS.append(0)
        y = torch.relu(self.wide(x))
        for _ in range(self.times(len(RUNS))):
            y = y * 2
        return self.head(y)


def at_first(runs: int) -> int:
    return int(runs <= 1)


def every_time_more(runs: int) -> int:
    return runs


def every_second_time(runs: int) -> int:
    return runs % 2


@pytest.fixture(autouse=True)
def no_runs() -> None:
    RUNS.clear()
    TRACE_CACHE.clear()


@pytest.mark.parametrize("trace_device", [Meta, Fake, Real])
def test_what_only_the_first_run_does_is_not_recorded(trace_device: type[TraceDevice]) -> None:
    model, example = Counted(at_first, trace_device), torch.randn(2, 4)
    recording = record(model, example, {})
    assert recording.trace_device is trace_device
    assert "aten.mul" not in [call.name for call in recording.calls]
    RUNS.clear()
    assert gw.knobs(model, example)["wide"].free
    RUNS.clear()
    TRACE_CACHE.clear()
    wide = gw.mutate(model, gw.Widen(layer="wide", num_units=2), seed=1, example=example)
    torch.testing.assert_close(wide(example), model(example))


@pytest.mark.parametrize("times", [every_time_more, every_second_time])
def test_what_is_never_the_same_is_refused_by_name(times: Callable[[int], int]) -> None:
    model, example = Counted(times), torch.randn(2, 4)
    with pytest.raises(UnsteadyError, match=r"Counted does not compute the same way .* aten\.mul\.Tensor of shape"):
        gw.knobs(model, example)


def test_what_was_recorded_before_a_change_outside_is_forgotten() -> None:
    model, example = Counted(lambda runs: int(runs > 100)), torch.randn(2, 4)
    assert TorchWidths(model, example).verified_knobs()["wide"].free
    RUNS.extend([0] * 100)
    widths = TorchWidths(model, example)
    with pytest.raises(UnsupportedError, match=r"does not run as it did when it was recorded .*; call again"):
        widths.resolve_attributes(widths.find("wide"), 8)
    assert gw.knobs(model, example)["wide"].free
