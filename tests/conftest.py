"""Fixtures for all tests: the table of small networks."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from genewright import operator

if TYPE_CHECKING:
    from torch import nn

# TensorFlow and Triton each bring an LLVM: where one process uses both, as a worker of the tests does, Triton must come
# first, or its import ends the process.
if find_spec("triton") is not None:
    import_module("triton")

# Without torch the tests of files, of the noise and of Keras run all the same (tests/packaging/matrix.py).
networks: Any = import_module("tests.networks") if find_spec("torch") is not None else None

# The machine may be busy: an example is not wrong for being slow.
hypothesis.settings.register_profile("genewright", deadline=None)
hypothesis.settings.load_profile("genewright")


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    """Operators that a test defines are gone after it."""
    before = dict(operator._registry)
    yield
    operator._registry.clear()
    operator._registry.update(before)


@pytest.fixture(params=list(networks.NETWORKS) if networks else [])
def network(request: pytest.FixtureRequest) -> nn.Module:
    """Each network of the table in turn."""
    return networks.make(request.param)


@pytest.fixture
def mlp() -> nn.Module:
    """A small network with two linear layers, the same bytes every time."""
    return networks.make("mlp")
