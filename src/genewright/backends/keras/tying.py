"""Making variables of a Keras model one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from genewright.backends.keras.library import attributes_of, keras
from genewright.backends.keras.members import Member, holders_of, layers_of
from genewright.errors import UnsupportedError


def tie(model: Any, name: str, to: str) -> None:
    """Let the layer that holds the variable `name` hold the variable `to` in its place.

    Raises:
        UnsupportedError: Their shapes or dtypes differ, or the layer does not hold its variable as an attribute.
    """
    holders = holders_of(model)
    (owner, old), (_, new) = holders[name], holders[to]
    if tuple(old.shape) != tuple(new.shape) or old.dtype != new.dtype:
        raise UnsupportedError(
            f"{name!r} ({old.dtype} of shape {tuple(old.shape)}) and {to!r} ({new.dtype} of shape {tuple(new.shape)}) "
            "cannot be one variable."
        )
    swapped = _swap(owner, old, new)
    if not swapped:
        raise UnsupportedError(f"{type(owner).__name__} does not hold {name!r} as an attribute, so it cannot be tied.")
    tell_torch(model)


def tie_again(old: Iterable[Member], model: Any) -> None:
    """Tie the variables of a model that was made again as those of the old one were."""
    holders = holders_of(model)
    for member in old:
        first, *others = member.names
        for name in others:
            if first in holders and name in holders and holders[name][1] is not holders[first][1]:
                tie(model, name, first)


def ties_of(model: Any, ties: Mapping[str, str]) -> None:
    """Tie the variables of a model as a file says, where both are there and hold the same values."""
    holders = holders_of(model)
    for name, to in ties.items():
        if name in holders and to in holders and holders[name][1] is not holders[to][1]:
            tie(model, name, to)


def _swap(owner: Any, old: Any, new: Any) -> bool:
    found = False
    for attribute, value in list(attributes_of(owner).items()):
        if value is old:
            attributes_of(owner)[attribute] = new
            found = True
    for held in (owner._trainable_variables, owner._non_trainable_variables):
        for position, variable in enumerate(held):
            if variable is old:
                cast(Any, list).__setitem__(
                    held, position, new
                )  # the tracked list of a built layer takes no new members
                ids = owner._tracker.stored_ids
                for known in ids.values():
                    if id(old) in known:
                        known.discard(id(old))
                        known.add(id(new))
    return found


def tell_torch(model: Any) -> None:
    """Let torch's own registry follow, on Keras's torch backend."""
    if keras.backend.backend() == "torch":
        for layer in (model, *layers_of(model).values()):
            if layer.built:
                layer._track_variables()
