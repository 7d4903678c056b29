"""The global random generators of Python, NumPy and torch: no operator reads or moves them."""

from __future__ import annotations

import random
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import numpy as np

from genewright.process_state import LOCK


def states() -> dict[str, Any]:
    """Return the state of each generator, in a form that compares."""
    found: dict[str, Any] = {"Python": random.getstate(), "NumPy": repr(np.random.get_state(legacy=False))}  # noqa: NPY002  # the global one is the point
    torch = sys.modules.get("torch")
    if torch is not None:
        found["torch"] = torch.get_rng_state().tolist()
    return found


@contextmanager
def reseeded(seed: int) -> Generator[None]:
    """Seed every global generator for the length of a block, and put it back; one thread at a time."""
    with LOCK:
        yield from _reseeded(seed)


def _reseeded(seed: int) -> Generator[None]:
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  # the global one is the point
    torch = sys.modules.get("torch")
    kept = None if torch is None else torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # the global one is the point
    if torch is not None:
        torch.random.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002  # the global one is the point
        if torch is not None:
            torch.set_rng_state(kept)
