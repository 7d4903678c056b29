"""Caches of a model's code: what a run without values puts into them is taken out again, and no width is refused."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw
from genewright.backends.torch.structure.remains import RemainsError
from genewright.backends.torch.structure.torch_widths import TorchWidths
from genewright.backends.torch.structure.trace_cache import TRACE_CACHE

NAME: torch.Tensor | None = None
TABLE: dict[object, Any] = {}
FILLED: dict[str, Any] = {"positions": None}
STATE = types.SimpleNamespace(positions=None)


def computed(size: int, device: torch.device | None = None) -> torch.Tensor:
    return torch.arange(size, device=device) / size


@functools.lru_cache
def by_size(size: int) -> torch.Tensor:
    return computed(size)


@functools.lru_cache
def by_device(size: int, device: torch.device) -> tuple[types.SimpleNamespace]:
    return (types.SimpleNamespace(positions=computed(size, device)),)


class Held:
    positions: torch.Tensor | None = None


def in_lru_cache(x: torch.Tensor) -> torch.Tensor:
    return by_size(x.shape[-1])


def in_lru_cache_by_device(x: torch.Tensor) -> torch.Tensor:
    return by_device(x.shape[-1], x.device)[0].positions


def in_dictionary(x: torch.Tensor) -> torch.Tensor:
    if x.shape[-1] not in TABLE:
        TABLE[x.shape[-1]] = computed(x.shape[-1]), 0
    return TABLE[x.shape[-1]][0]


def in_dictionary_by_device(x: torch.Tensor) -> torch.Tensor:
    if (x.shape[-1], x.device) not in TABLE:
        TABLE[x.shape[-1], x.device] = computed(x.shape[-1], x.device)
    return TABLE[x.shape[-1], x.device]


def in_filled_dictionary(x: torch.Tensor) -> torch.Tensor:
    if FILLED["positions"] is None or len(FILLED["positions"]) != x.shape[-1]:
        FILLED["positions"] = computed(x.shape[-1])
    return FILLED["positions"]


def in_name(x: torch.Tensor) -> torch.Tensor:
    global NAME  # noqa: PLW0603  # this is how such a cache is written
    if NAME is None or len(NAME) != x.shape[-1]:
        NAME = computed(x.shape[-1])
    return NAME


def in_class(x: torch.Tensor) -> torch.Tensor:
    if Held.positions is None or len(Held.positions) != x.shape[-1]:
        Held.positions = computed(x.shape[-1])
    return Held.positions


def in_object(x: torch.Tensor) -> torch.Tensor:
    if STATE.positions is None or len(STATE.positions) != x.shape[-1]:
        STATE.positions = computed(x.shape[-1])
    return STATE.positions


def _outer() -> Callable[[torch.Tensor], torch.Tensor]:
    kept: torch.Tensor | None = None

    def in_outer_function(x: torch.Tensor) -> torch.Tensor:
        nonlocal kept
        if kept is None or len(kept) != x.shape[-1]:
            kept = computed(x.shape[-1])
        return kept

    return in_outer_function


CACHES = [
    in_lru_cache, in_lru_cache_by_device, in_dictionary, in_dictionary_by_device, in_filled_dictionary, in_name,
    in_class, in_object, _outer(),
]  # fmt: skip


class Cached(nn.Module):
    """Adds positions that its code keeps outside of it: to the input, whose width stays, or to units, whose changes."""

    def __init__(self, positions: Callable[[torch.Tensor], torch.Tensor], place: str) -> None:
        super().__init__()
        self.wide, self.head = nn.Linear(4, 6), nn.Linear(6, 3)
        self.positions, self.place = positions, place

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.place == "input":
            return self.head(torch.relu(self.wide(x + self.positions(x))))
        hidden = torch.relu(self.wide(x))
        return self.head(hidden) + self.positions(hidden).sum() * 0


@pytest.fixture(autouse=True)
def empty() -> None:
    global NAME  # noqa: PLW0603
    NAME = Held.positions = STATE.positions = FILLED["positions"] = None
    TABLE.clear()
    by_size.cache_clear()
    by_device.cache_clear()
    TRACE_CACHE.clear()


@pytest.mark.parametrize(
    ("positions", "place"),
    [
        (in_lru_cache, "input"),
        (in_lru_cache_by_device, "input"),
        (in_name, "input"),
        *((one, "units") for one in CACHES),
    ],
    ids=lambda one: getattr(one, "__name__", one),
)
def test_a_cache_of_the_code_refuses_no_width_and_holds_nothing_of_ours(
    positions: Callable[[torch.Tensor], torch.Tensor], place: str
) -> None:
    torch.manual_seed(0)
    model, example = Cached(positions, place), torch.randn(2, 4)
    added = computed(4) if place == "input" else 0
    expected = model.head(torch.relu(model.wide(example + added)))
    assert gw.knobs(model, example)["wide"].free  # looked at before its first run
    assert torch.equal(model(example), expected)
    wide = gw.mutate(model, gw.Widen(layer="wide", num_units=2), seed=1, example=example)  # and after
    assert wide.wide.out_features == 8
    torch.testing.assert_close(wide(example), expected)
    assert torch.equal(model(example), expected)


def test_a_buffer_that_the_first_run_makes_refuses_no_width_and_is_not_made_on_the_users_model() -> None:
    class Lazy(Cached):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if "made" not in self._buffers:
                self.register_buffer("made", computed(4))
            return super().forward(x + self.made)

    model, example = Lazy(in_lru_cache, "input"), torch.randn(2, 4)
    assert gw.knobs(model, example)["wide"].free
    assert "made" not in model._buffers
    model(example)
    wide = gw.mutate(model, gw.Widen(layer="wide", num_units=2), seed=1, example=example)
    torch.testing.assert_close(wide(example), model(example))


def test_what_a_layer_keeps_itself_stays_with_the_recording() -> None:
    class Remembers(Cached):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.last = [x + 1]
            return super().forward(self.last[0])

    model, example = Remembers(in_lru_cache, "input"), torch.randn(2, 4)
    widths = TorchWidths(model, example)
    assert widths.recording.holders == (by_size,)
    assert widths.recording.layers[""].last[0].device.type == "meta"
    assert not hasattr(model, "last")


def test_what_hooks_collect_is_of_the_users_runs_alone() -> None:
    model, example = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)), torch.randn(2, 4)
    outputs: list[torch.Tensor] = []
    by_name: dict[str, torch.Tensor] = {}
    model[0].register_forward_hook(lambda module, args, output: outputs.append(output.detach()))
    model[1].register_forward_hook(lambda module, args, output: by_name.update(hidden=output))
    first = model(example)
    wide = TorchWidths(model, example).verified_knobs()["0"]
    assert wide.free
    assert len(outputs) == 1
    assert torch.equal(outputs[0], model[0].forward(example))
    assert torch.equal(model[2](by_name["hidden"]), first)


class Slots:
    __slots__ = ("tensor",)


def test_what_cannot_be_taken_away_is_refused_by_name() -> None:
    slots = Slots()

    def in_slots(x: torch.Tensor) -> torch.Tensor:
        slots.tensor = x + 1
        return x * 0

    model, example = Cached(in_slots, "input"), torch.randn(2, 4)
    with pytest.raises(RemainsError, match="leaves tensors behind in an object that cannot be looked into"):
        gw.knobs(model, example)
