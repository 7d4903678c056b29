"""Whatever comes in, only errors of ours come out: in time, in bounds, and nothing is executed."""

from __future__ import annotations

import codecs
import contextlib
import importlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.strategies import SURFACES
from tests.fuzz.watch import held

_SOME = 60
_ALL = 20_000 // len(SURFACES) + 1


def _put(name: str, data: Any) -> None:
    path = getattr(SURFACES[name].read, "path", None)
    if path is not None:
        path.write_bytes(data)


def _read(name: str, data: Any) -> BaseException | None:
    surface = SURFACES[name]
    _put(name, data)
    return held(lambda: surface.read(data), surface.size(data), allowed=surface.allowed, constant=surface.constant)


def _warm(name: str) -> None:
    """Let libraries import what they import late: a good input, and a broken one."""
    surface = SURFACES[name]
    # json, zipfile and pickle ask for them
    for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "cp437", "raw_unicode_escape"):
        codecs.lookup(encoding)
    for module in ("torch.utils._device", "torch.fx.experimental.symbolic_shapes"):  # torch, of meta tensors
        importlib.import_module(module)
    for data in (surface.good, surface.good[:-1] if isinstance(surface.good, bytes) else "_", *surface.late):
        _put(name, data)
        with contextlib.suppress(Exception):
            surface.read(data)


def _assert_held(name: str, number: int) -> None:
    _warm(name)

    @settings(
        max_examples=number,
        deadline=None,
        derandomize=number == _SOME,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(data=SURFACES[name].inputs)
    def every(data: Any) -> None:
        _read(name, data)

    every()


@pytest.mark.parametrize("name", SURFACES)
def test_a_good_input_is_accepted(name: str) -> None:
    _warm(name)
    assert _read(name, SURFACES[name].good) is None


@pytest.mark.parametrize("name", SURFACES)
def test_some_hostile_inputs(name: str) -> None:
    _assert_held(name, _SOME)


@pytest.mark.slow
@pytest.mark.parametrize("name", SURFACES)
def test_many_hostile_inputs(name: str) -> None:
    _assert_held(name, _ALL)


def test_inputs_are_bytes_or_data_that_json_holds() -> None:
    for surface in SURFACES.values():
        assert isinstance(surface.inputs, st.SearchStrategy)
