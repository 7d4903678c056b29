from functools import partial
from importlib.util import find_spec

import pytest

from genewright import noise

BACKENDS = [
    "numpy",
    pytest.param("numba", marks=pytest.mark.skipif(find_spec("numba") is None, reason="Numba is not installed")),
]


@pytest.fixture(scope="session", params=BACKENDS)
def apply(request):
    """`apply` with each backend in turn."""
    return partial(noise.apply, backend=request.param)


@pytest.fixture(scope="session")
def journalled(apply):
    """`apply` that returns the undo that it has handed out."""

    def journalled(*arguments, **settings):
        kept = []
        apply(*arguments, **settings, journal=kept.append)
        (undo,) = kept
        return undo

    return journalled


@pytest.fixture(scope="session", params=BACKENDS)
def mask(request):
    """`mask` with each backend in turn."""
    return partial(noise.mask, backend=request.param)
