"""reshape: layers and shapes of a mutant from its recipe alone, for a file that holds the values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from genewright.backends import Backend
from genewright.edits import Site
from genewright.errors import FileError
from genewright.step import Step

MOST_TIMES = 4  # a narrowed mutant was larger once


def reshape(backend: Backend, model: Any, steps: Iterable[Step], *, limit: int) -> Any:
    """Return a base with the layers and shapes that steps of a recipe say; its weights are read afterwards.

    Args:
        backend: The model's framework.
        model: The model, as it was made before the first of them.
        steps: Steps of a recipe.
        limit: The most bytes that tensors of one step may have.

    Raises:
        FileError: The recipe asks for more.
        GenewrightError: It does not fit the model.
    """
    for step in steps:
        store = backend.store(model)
        store.limit = limit
        site = Site(store, step.noise())
        for edit in step.edits:
            if not edit.shapes:
                continue
            edit.check((store,))
            if edit.nbytes(store) > limit:
                raise FileError(
                    f"The recipe's step {step.name} asks for tensors of {edit.nbytes(store):,} bytes, and the file "
                    f"holds {limit // MOST_TIMES:,}. Refused."
                )
            edit.apply(site)
        model = store.finish()
    return model
