"""A model is run once for all operators; what has another form is run again."""

from __future__ import annotations

import copy
import threading
import types
from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
from torch import nn

import genewright as gw
from genewright.backends.torch.structure.propagation import RULES
from genewright.backends.torch.structure.structural_key import structural_key
from genewright.backends.torch.structure.torch_widths import TorchWidths
from genewright.backends.torch.structure.trace_cache import TRACE_CACHE, CachedTrace, TraceCache
from tests.operators.architecture.wide_networks import Scales, make


def _scales() -> tuple[nn.Module, torch.Tensor]:
    return make("scales")


def _attribute(model: Any) -> None:
    model.width = 4


def _hook(model: Any) -> None:
    model.stem.register_forward_hook(lambda module, args, output: output * 2)


def _own_forward(model: Any) -> None:
    model.forward = types.MethodType(lambda self, x: self.head(self.stem(x)), model)


def _tie(model: Any) -> None:
    model.inner[1].weight = model.inner[0].weight


def _tie_by_memory(model: Any) -> None:
    model.inner[1].weight = nn.Parameter(model.inner[0].weight.detach())


def _dtype(model: Any) -> None:
    model.double()


def _layer(model: Any) -> None:
    model.inner[1] = nn.Sequential(nn.Conv2d(3, 3, 1))


def _shared_layer(model: Any) -> None:
    model.inner[1] = model.inner[0]


def _setting_of_a_layer(model: Any) -> None:
    model.stem.padding = (1, 1)


CHANGES = [
    _attribute, _hook, _own_forward, _tie, _tie_by_memory, _dtype, _layer, _shared_layer, _setting_of_a_layer
]  # fmt: skip


def test_a_copy_and_other_weights_have_the_same_form() -> None:
    model, example = _scales()
    other = copy.deepcopy(model).train()
    with torch.no_grad():
        other.stem.weight.mul_(2)
    assert structural_key(model, example) is not None
    assert structural_key(model, example) == structural_key(other, example) == structural_key(model, example * 3)
    assert TorchWidths(model, example).recording is TorchWidths(other, example).recording


@pytest.mark.parametrize("change", CHANGES)
def test_what_would_run_otherwise_has_another_form(change: Callable[[Any], None]) -> None:
    model, example = _scales()
    other = copy.deepcopy(model)
    change(other)
    assert structural_key(other, example) != structural_key(model, example)
    assert structural_key(copy.deepcopy(model), example) == structural_key(model, example)


@pytest.mark.parametrize(
    "example",
    [torch.randn(1, 3, 8, 8), torch.randn(2, 3, 9, 8), torch.randn(2, 3, 8, 8).double(), {"x": torch.ones(1)}],
)
def test_another_example_has_another_form(example: Any) -> None:
    model, first = _scales()
    assert structural_key(model, example) != structural_key(model, first)


def test_what_cannot_be_compared_is_run_every_time() -> None:
    model, example = _scales()
    model.others = [nn.Linear(2, 2)]  # not registered: nobody knows what it holds
    assert structural_key(model, example) is None
    assert TorchWidths(model, example).recording is not TorchWidths(model, example).recording
    looking, given = make("looks_at_values")
    assert TorchWidths(looking, given).recording is not TorchWidths(looking, given).recording


def test_objects_that_come_and_go_are_not_taken_for_each_other() -> None:
    model, example = _scales()
    forms = {structural_key(_with(model, number), example) for number in range(50)}
    assert len(forms) == 50


def _with(model: nn.Module, number: int) -> nn.Module:
    other = copy.deepcopy(model)
    other.settings = types.SimpleNamespace(depth={"of": [number]})
    return other


def test_a_change_between_two_mutations_is_seen() -> None:
    model, example = _scales()
    gw.mutate(model, gw.Widen(layer="stem", num_units=2), seed=1, example=example)
    assert isinstance(model, Scales)
    model.head = nn.Conv2d(9, 2, 3, padding=1)
    wide = gw.mutate(model, gw.Widen(layer="stem", num_units=2), seed=1, example=example)
    assert wide.head.weight.shape == (2, 13, 3, 3)  # two of its three pieces
    again = gw.mutate(wide, gw.Widen(layer="stem", num_units=1), seed=2, example=example)
    with torch.no_grad():
        change = (again.double()(example.double()) - model.double()(example.double())).abs().max()
    assert change < 1e-9


def test_a_rule_that_is_registered_after_a_first_look_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    model, example = nn.Sequential(nn.Linear(3, 5), nn.Softsign(), nn.Linear(5, 2)), torch.zeros(1, 3)
    assert gw.knobs(model, example)["0"].free
    monkeypatch.setitem(RULES, "aten.abs", _refuses)
    assert not gw.knobs(model, example)["0"].free


def _refuses(step: object) -> None:
    raise ValueError


def test_threads_that_ask_at_once_get_one_result_and_nothing_in_it_changes_afterwards() -> None:
    TRACE_CACHE.clear()
    pairs = [make("attention") for _ in range(4)]
    barrier, found = threading.Barrier(4), list[TorchWidths]()

    def ask(model: nn.Module, example: torch.Tensor) -> None:
        barrier.wait(60)
        found.append(TorchWidths(model, example))

    threads = [threading.Thread(target=ask, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first = found[0]
    assert len(found) == 4
    assert all(one.reading is first.reading and one.knobs() is first.knobs() for one in found)

    def said() -> list[Any]:
        return [
            [(binding.layer, binding.attribute) for binding in first.reading.bindings],
            [(knob.name, list(knob.leaf.pins), list(knob.leaf.mixes)) for knob in first.knobs()],
        ]

    before = said()
    for widths in found:
        widths.verified_knobs()
    TorchWidths(*make("attention")).verified_knobs()
    assert said() == before


def test_the_oldest_goes_first_and_what_was_asked_for_stays() -> None:
    recent = TraceCache(2)
    made = [CachedTrace(*parts) for parts in [(cast("Any", n),) * 3 for n in range(3)]]
    for number in (0, 1):
        assert recent.keep(number, made[number]) is made[number]
    assert recent.get(0) is made[0]
    recent.keep(2, made[2])
    assert [recent.get(number) for number in range(3)] == [made[0], None, made[2]]
    assert recent.keep(0, made[1]) is made[0]  # another thread was faster
