"""Frameworks, found among the modules that are already imported: genewright itself imports none."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, cast

from genewright.backends.backend import ENTRY_POINTS as ENTRY_POINTS
from genewright.backends.backend import Backend as Backend
from genewright.errors import UnsupportedError
from genewright.plugins import load_plugin

# Ours, as pyproject.toml lists them, for a checkout that is not installed. In this order: on Keras's torch backend a
# Keras layer is a torch module too; checkpoints need nothing beyond genewright itself.
_OURS = {
    "keras": "genewright.backends.keras",
    "torch": "genewright.backends.torch",
    "genewright": "genewright.backends.files",
    "numpy": "genewright.backends.files.state_dicts",  # dicts of tensors; whose, it asks itself
}


def backend_of(model: object) -> Backend:
    """Return the backend that owns `model`: one of other packages where one does, else one of ours.

    Raises:
        UnsupportedError: No framework does; the message says what is expected.
    """
    for framework, load in _known():
        if sys.modules.get(framework):
            backend = load()
            if backend is not None and backend.owns(model):
                return backend
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    hint = ""
    if isinstance(model, type):
        hint = " That is a class; make a model of it first."
    elif isinstance(model, str | os.PathLike):
        hint = f" Of a file, write gw.mutate(gw.read_checkpoint({os.fspath(cast(Any, model))!r}), ...)."
    elif isinstance(model, list | tuple):
        hint = " For each of several, write [gw.mutate(model, operator, seed=...) for model in models]."
    elif isinstance(model, Iterator):
        hint = " Of parameters, give the module that they belong to."
    elif type(model).__name__ == "Recipe":
        hint = " A recipe is kept by recipe.save(path), and makes its mutant by gw.replay(recipe, base)."
    elif callable(model):
        hint = " Of a function that makes a model, give what it returns."
    raise UnsupportedError(
        "Expected a torch.nn.Module, a Keras model, a checkpoint (gw.read_checkpoint(path)) or a state dict; "
        f"received a {kind}.{hint}"
    )


@functools.cache
def _known() -> tuple[tuple[str, Callable[[], Backend | None]], ...]:
    """Return (module that brings the framework, what loads its backend), those of other packages first."""
    entries = importlib.metadata.entry_points(group=ENTRY_POINTS)
    others = [
        (entry.name, functools.cache(functools.partial(load_plugin, entry)))
        for entry in entries
        if _is_of_others(entry)
    ]
    ours = [(framework, functools.cache(functools.partial(_ours, module))) for framework, module in _OURS.items()]
    return (*others, *ours)


def _is_of_others(entry: Any) -> bool:
    return entry.value.partition(":")[0] not in _OURS.values()


def _ours(module: str) -> Backend:
    return importlib.import_module(module).BACKEND
