"""A Keras model made again with a different architecture, in the place of the old one: the same object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from genewright.backends.files.keras_layout import input_axis_of, role_of, unit_axis_of
from genewright.backends.keras.cloning import cloned, copy_extra_state, preserve_python_random
from genewright.backends.keras.graph import Rebuilder
from genewright.backends.keras.initial import initial_of, initializer_of
from genewright.backends.keras.library import array_of, attributes_of, error_text, keras
from genewright.backends.keras.members import Member, is_graph, members_of
from genewright.backends.keras.rewiring import Changes
from genewright.backends.keras.swap_layers import replacement_layers, swap_layers
from genewright.backends.keras.training import Move, carry_training
from genewright.backends.keras.tying import tie_again
from genewright.errors import GenewrightError, UnsupportedError

RECIPE = "_genewright_recipe"
_OF_THE_OBJECT = ("_inbound_nodes", "_outbound_nodes", "build", "quantize")  # they know the object by itself


def rebuild(
    model: Any,
    changes: Changes,
    resized: Mapping[str, NDArray[Any]],
    moves: Iterable[Move],
) -> None:
    """Make `model` again with changes; it becomes the new model and stays the same object.

    Args:
        model: The model. In a subclassed one, layers are exchanged where it holds them.
        changes: What becomes different.
        resized: New values of variables whose shape changes, as they are stored (bfloat16 as uint16).
        moves: How those came about, for the optimizer's state.

    Raises:
        UnsupportedError: Keras refuses the new architecture, or the model is subclassed, and asks for new wiring or
            has no config to be made from; nothing has been changed.
    """
    if not is_graph(model):
        _exchanged(model, changes, resized, moves)
        return
    old = members_of(model)
    with preserve_python_random():
        rebuilder = Rebuilder(model, changes)
        try:
            new = rebuilder.model()
        except GenewrightError:
            raise
        except Exception as error:
            raise UnsupportedError(
                f"Keras refuses the changed architecture of {model.name!r}: {error_text(error)} "
                "Nothing has been changed."
            ) from error
        tie_again(old.values(), new)
        fitted = _fill(old, members_of(new), resized, changes)
        rebuilder.copy_extra_state()
        carry_training(model, new, (*moves, *fitted))
    _adopt(model, new)


def _exchanged(
    model: Any,
    changes: Changes,
    resized: Mapping[str, NDArray[Any]],
    moves: Iterable[Move],
) -> None:
    """Exchange the layers of a subclassed model."""
    old = members_of(model)
    with preserve_python_random():
        cloned(model)  # refuses a class that cannot be made from its config, for its mutants could not be copied
        refitted = dict.fromkeys(old[name].layer for name in resized)
        fresh, pairs = replacement_layers(model, changes, refitted)
        swap_layers(model, fresh)
        tie_again(old.values(), model)
        fitted = _fill(old, members_of(model), resized, changes)
        for before, after in pairs:
            copy_extra_state(before, after)
        carry_training(model, model, (*moves, *fitted), before=old)


def _fill(
    old: Mapping[str, Member],
    new: Mapping[str, Member],
    resized: Mapping[str, NDArray[Any]],
    changes: Changes,
) -> list[Move]:
    """Give every variable its value: the new one, the old one, a copied layer's, or the constant that it starts with.

    What a new layer draws at random starts at zero (an operator draws it by seeded noise). Where a layer was inserted
    that returns another width, the kernels that read it keep the rows of the first units; further rows are zero.

    Returns:
        How kernels were made to fit.
    """
    moves: list[Move] = []
    copies = changes.copies()
    for name, member in new.items():
        variable, shape = member.variable, tuple(member.variable.shape)
        source = old.get(name) or _copied(name, copies, old)
        if source is not None and _is_new(name, source, shape, changes):
            source = None  # a layer of another size in the place of one: an operator draws it
        if name in resized:
            values = resized[name]
            if values.shape != shape:
                raise _mismatch(name, shape, values.shape)
            bfloat = keras.backend.standardize_dtype(variable.dtype) == "bfloat16"
            variable.assign(values.view(ml_dtypes.bfloat16) if bfloat else values)
        elif source is None:
            initial = initial_of(initializer_of(member.owner, member.attribute), shape)
            constant = initial.scale if initial is not None and initial.distribution == "constant" else 0.0
            variable.assign(np.full(shape, constant))
        else:
            before = np.array(array_of(source.variable))
            if before.shape != shape:
                move = _refitted(name, member, before.shape) if changes.inserted else None
                if move is None:
                    raise _mismatch(name, shape, before.shape)
                moves.append(move)
                before = moved(before, move)
            variable.assign(before)
            if name in old and variable.trainable != source.variable.trainable:
                variable.trainable = source.variable.trainable
    return moves


def _copied(name: str, copies: Mapping[str, str], old: Mapping[str, Member]) -> Member | None:
    for place, source in copies.items():
        if name.startswith(f"{place}."):
            return old.get(f"{source}{name.removeprefix(place)}")
    return None


def _refitted(name: str, member: Member, has: tuple[int, ...]) -> Move | None:
    """Return how a kernel follows the width that it reads, or None where more than that has changed."""
    shape = tuple(member.variable.shape)
    classes = [cls.__name__ for cls in type(member.owner).__mro__]
    role = role_of(member.attribute, shape, is_parameter=member.is_parameter)
    axis = input_axis_of(role, unit_axis_of(classes, member.attribute, role, shape), shape)
    if axis is None or [n for i, n in enumerate(shape) if i != axis] != [n for i, n in enumerate(has) if i != axis]:
        return None
    kept, width = int(has[axis]), int(shape[axis])
    return Move(name, axis, np.array([i if i < kept else -1 for i in range(width)], np.int64))


def moved(values: NDArray[Any], move: Move) -> NDArray[Any]:
    """Return values gathered along an axis, zeros where the index is -1."""
    index = move.places
    taken: NDArray[Any] = np.take(values, np.maximum(index, 0), axis=move.axis)
    taken[(slice(None),) * move.axis + (index < 0,)] = 0
    return taken


def _is_new(name: str, source: Member, shape: tuple[int, ...], changes: Changes) -> bool:
    """Whether a variable belongs to a layer that has taken the place of one of another size."""
    replaced = any(name.startswith(f"{place}.") and not new.copied for place, new in changes.replaced.items())
    return replaced and tuple(source.variable.shape) != shape


def _mismatch(name: str, wanted: tuple[int, ...], has: tuple[int, ...]) -> UnsupportedError:
    return UnsupportedError(
        f"The changed architecture needs {name!r} in the shape {wanted}, and it has the shape {has}: something that "
        "reads or writes the same width would have to change too; gw.Widen, gw.Narrow, gw.GrowOutputs and "
        "gw.ShrinkOutputs change all of it together. Nothing has been changed."
    )


def _adopt(model: Any, new: Any) -> None:
    """Let `model` become what `new` is, and stay the same object."""
    own = attributes_of(model)
    held, fresh = dict(own), dict(attributes_of(new))
    fresh.update({key: held[key] for key in (*_OF_THE_OBJECT, RECIPE) if key in held})
    own.clear()
    own.update(fresh)
    if isinstance(model, keras.Sequential) != isinstance(new, keras.Sequential):
        model.__class__ = type(new)
