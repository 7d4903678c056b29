"""Frameworks, found among the modules that are already imported: genewright itself imports none."""

from __future__ import annotations

import importlib
import sys

from genewright.backends.backend import Backend as Backend
from genewright.errors import UnsupportedError

# In this order: on Keras's torch backend a Keras layer is a torch module too.
_FRAMEWORKS = {"keras": "genewright.backends.keras", "torch": "genewright.backends.torch"}
_ALWAYS = ("genewright.backends.files",)


def backend_of(model: object) -> Backend:
    """Return the backend that owns `model`.

    Raises:
        UnsupportedError: No framework does; the message says what is expected.
    """
    modules = [module for framework, module in _FRAMEWORKS.items() if sys.modules.get(framework)]
    for name in (*modules, *_ALWAYS):
        backend: Backend = importlib.import_module(name).BACKEND
        if backend.owns(model):
            return backend
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    hint = " That is a class; make a model of it first." if isinstance(model, type) else ""
    raise UnsupportedError(
        "Expected a torch.nn.Module, a Keras model or a checkpoint (gw.read_checkpoint(path)); "
        f"received a {kind}.{hint}"
    )
