"""Fixtures for all tests: the table of small networks."""

from __future__ import annotations

import hypothesis
import pytest
from torch import nn

from tests import networks

# The machine may be busy: an example is not wrong for being slow.
hypothesis.settings.register_profile("genewright", deadline=None)
hypothesis.settings.load_profile("genewright")


@pytest.fixture(params=list(networks.NETWORKS))
def network(request: pytest.FixtureRequest) -> nn.Module:
    """Each network of the table in turn."""
    return networks.make(request.param)


@pytest.fixture
def mlp() -> nn.Module:
    """A small network with two linear layers, the same bytes every time."""
    return networks.make("mlp")
