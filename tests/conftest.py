"""Fixtures for all tests: the table of small networks."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from genewright.operator import _registry

if TYPE_CHECKING:
    from torch import nn

# Workers of pytest-xdist share the processor, and so do the processes that tests start: one thread each, or they wait
# for one another.
if "PYTEST_XDIST_WORKER" in os.environ:
    for variable in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(variable, "1")

# TensorFlow and Triton each bring an LLVM: where one process uses both, as a worker of the tests does, Triton must come
# first, or its import ends the process.
if find_spec("triton") is not None:
    import_module("triton")

# Without torch the tests of files, of the noise and of Keras run all the same (tests/packaging/matrix.py).
networks: Any = import_module("tests.networks") if find_spec("torch") is not None else None

# The machine may be busy: an example is not wrong for being slow. By default the examples are few and always the same,
# so that a failure is of the change at hand; `make test-all` looks for new ones (--hypothesis-profile=full).
hypothesis.settings.register_profile("fast", deadline=None, max_examples=25, derandomize=True)
hypothesis.settings.register_profile("full", deadline=None, max_examples=100, print_blob=True)
hypothesis.settings.load_profile("fast")


# The files that take longest, each half a minute or more: they begin, so that no worker ends alone with one of them.
LONGEST = (
    *("tests/demo/test_demo.py", "tests/demo/test_demo_keras.py", "tests/backends/keras/test_conformance.py"),
    *("tests/operators/architecture/test_conformance.py", "tests/test_docs.py", "tests/test_conformance.py"),
    *("tests/backends/keras/test_architecture.py", "tests/test_transaction.py", "tests/test_threads.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; the others stay in their order."""
    rank = {file: at for at, file in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.nodeid.partition("::")[0], len(LONGEST)))


def pytest_collection_finish() -> None:
    """Frameworks and collected tests stay: looking through them for garbage, again and again, takes long."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """At the end the collector sees everything again: libraries whose objects are left print that they leaked."""
    gc.unfreeze()


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    """Operators that a test defines are gone after it."""
    before = dict(_registry)
    yield
    _registry.clear()
    _registry.update(before)


@pytest.fixture(params=list(networks.NETWORKS) if networks else [])
def network(request: pytest.FixtureRequest) -> nn.Module:
    """Each network of the table in turn."""
    return networks.make(request.param)


@pytest.fixture
def mlp() -> nn.Module:
    """A small network with two linear layers, the same bytes every time."""
    return networks.make("mlp")
