"""The global random generators of Python, NumPy, torch and Keras: no operator reads or moves them."""

from __future__ import annotations

import importlib
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
    keras = sys.modules.get("keras")
    if keras is not None:
        found["Keras"] = _state_of_keras().tolist()
    return found


@contextmanager
def reseeded(seed: int) -> Generator[None]:
    """Seed every global generator for the length of a block, and put it back; one thread at a time."""
    with LOCK:
        yield from _reseeded(seed)


def _reseeded(seed: int) -> Generator[None]:
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  # the global one is the point
    torch, keras = sys.modules.get("torch"), sys.modules.get("keras")
    kept = None if torch is None else torch.get_rng_state()
    of_keras = None if keras is None else _state_of_keras()
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # the global one is the point
    if torch is not None:
        torch.random.default_generator.manual_seed(seed)
    if of_keras is not None:
        _of_keras().state.assign(np.array([seed, 0], of_keras.dtype))
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002  # the global one is the point
        if torch is not None:
            torch.set_rng_state(kept)
        if of_keras is not None:
            _of_keras().state.assign(of_keras)


def _state_of_keras() -> Any:
    held = _of_keras().state.value  # TensorFlow's variables do not know NumPy 2's way to ask for an array
    return np.array(held.numpy() if hasattr(held, "numpy") else held)


def _of_keras() -> Any:
    """Return the generator that keras.random draws from where no seed is given; Keras has no public name for it."""
    python = random.getstate()
    try:
        return importlib.import_module("keras.src.random.seed_generator").global_seed_generator()
    finally:
        random.setstate(python)  # the first call makes it, with a seed from there
