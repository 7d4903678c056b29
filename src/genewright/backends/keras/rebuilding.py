"""A Keras model made again with a different architecture, in the place of the old one: the same object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from genewright.apply import Undo
from genewright.backends.keras.cloning import python_random_kept
from genewright.backends.keras.graph import Rebuilder
from genewright.backends.keras.initial import initial_of, initializer_of
from genewright.backends.keras.library import keras, said
from genewright.backends.keras.members import Member, is_graph, members_of
from genewright.backends.keras.arrays import array_of
from genewright.backends.keras.rewiring import Changes
from genewright.backends.keras.training import carry_training
from genewright.backends.keras.tying import tie_again
from genewright.edit import Reindex
from genewright.errors import GenewrightError, UnsupportedError

RECIPE = "_genewright_recipe"
_OF_THE_OBJECT = ("_inbound_nodes", "_outbound_nodes", "build", "quantize")  # they know the object by itself


def rebuild(
    model: Any,
    changes: Changes,
    resized: Mapping[str, NDArray[Any]],
    moves: Iterable[Reindex],
    *,
    shell: bool = False,
) -> Undo:
    """Make `model` again with changes, and let it be that one; return what takes it back.

    Args:
        model: A Functional or Sequential model.
        changes: What becomes different.
        resized: New values of variables whose shape changes, as they are stored (bfloat16 as uint16).
        moves: How those came about, for the optimizer's state.
        shell: Values that do not fit are let be, for they are read afterwards.

    Raises:
        UnsupportedError: The model is subclassed, or Keras refuses the new architecture; nothing has been changed.
    """
    if not is_graph(model):
        raise UnsupportedError(
            f"{model.name!r} of class {type(model).__name__} is a subclassed model: its wiring is Python code, so its "
            "architecture cannot be changed here (its weights can). Build it with the Functional API, or change one of "
            "the Functional models that it is made of."
        )
    old = members_of(model)
    with python_random_kept():
        rebuilder = Rebuilder(model, changes)
        try:
            new = rebuilder.model()
        except GenewrightError:
            raise
        except Exception as error:
            raise UnsupportedError(
                f"Keras refuses the changed architecture of {model.name!r}: {said(error)} "
                "Nothing has been changed."
            ) from error
        tie_again(old.values(), new)
        _fill(old, members_of(new), resized, shell=shell)
        rebuilder.settle()
        carry_training(model, new, tuple(moves))
    return _adopt(model, new)


def _fill(old: Mapping[str, Member], new: Mapping[str, Member], resized: Mapping[str, NDArray[Any]], *, shell: bool) -> None:
    """Give every variable its value: the new one, the old one, or the constant that its layer starts with."""
    for name, member in new.items():
        variable, shape = member.variable, tuple(member.variable.shape)
        if name in resized:
            values = resized[name]
            if values.shape != shape:
                raise _misfit(name, shape, values.shape)
            bfloat = keras.backend.standardize_dtype(variable.dtype) == "bfloat16"
            variable.assign(values.view(ml_dtypes.bfloat16) if bfloat else values)
        elif name in old:
            before = old[name].variable
            if tuple(before.shape) != shape:
                if shell:
                    continue
                raise _misfit(name, shape, tuple(before.shape))
            variable.assign(np.array(array_of(before)))
            if variable.trainable != before.trainable:
                variable.trainable = before.trainable
        else:
            initial = initial_of(initializer_of(member.owner, member.attribute), shape)
            if initial is None or initial.distribution != "constant":
                continue
            variable.assign(np.full(shape, initial.scale))


def _misfit(name: str, wanted: tuple[int, ...], has: tuple[int, ...]) -> UnsupportedError:
    return UnsupportedError(
        f"The changed architecture needs {name!r} in the shape {wanted}, and it has the shape {has}: something that "
        "reads or writes the same width would have to change too. Nothing has been changed."
    )


def _adopt(model: Any, new: Any) -> Undo:
    """Let `model` become what `new` is, and stay the same object."""
    held, kind = dict(vars(model)), type(model)
    fresh = dict(vars(new))
    fresh.update({key: held[key] for key in (*_OF_THE_OBJECT, RECIPE) if key in held})
    vars(model).clear()
    vars(model).update(fresh)
    if isinstance(model, keras.Sequential) != isinstance(new, keras.Sequential):
        model.__class__ = type(new)

    def undo() -> None:
        vars(model).clear()
        vars(model).update(held)
        model.__class__ = kind

    return undo
