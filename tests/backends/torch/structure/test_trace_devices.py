"""What tracing on another device than the model's leaves of the process alone."""

from __future__ import annotations

import types
import warnings

import pytest
import torch
from torch import nn

import genewright as gw
from genewright.backends.torch.structure.trace_devices import Fake


class _Noted(types.ModuleType):
    """The module `warnings`, which notes what is put into it."""

    put: list[str]

    def __setattr__(self, name: str, value: object) -> None:
        self.put.append(name)
        super().__setattr__(name, value)


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    monkeypatch.setattr(_Noted, "put", names, raising=False)
    monkeypatch.setattr(warnings, "__class__", _Noted)
    return names


class _AsksForItsDevice(nn.Module):
    """Does not run on meta tensors: it is traced on fake ones."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.device.type == "cpu"
        return self.down(torch.relu(self.up(x)))


def test_fake_tensors_are_made_without_a_change_of_what_other_threads_warn_by(put: list[str]) -> None:
    mutant = gw.mutate(_AsksForItsDevice(), gw.Widen("up", num_units=2), seed=1, example=torch.ones(2, 6))
    assert mutant.up.out_features == 10
    assert "showwarning" not in put


def test_other_threads_make_fake_tensors_as_torch_does(put: list[str]) -> None:
    device = Fake()
    device._fakes.from_tensor(torch.ones(2))
    assert "showwarning" in put


def test_a_gradient_that_is_no_leafs_is_read_in_silence() -> None:
    tensor = (torch.ones(2, requires_grad=True) * 2).requires_grad_()
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        made = Fake().example(tensor)
    assert made.shape == (2,)
    assert [str(one.message) for one in given] == []
