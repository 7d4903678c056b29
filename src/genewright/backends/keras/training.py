"""Compile settings and the optimizer's state, carried from a model to the one made in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from genewright.backends.keras.library import array_of, attributes_of, class_of, keras
from genewright.backends.keras.members import Member, members_of
from genewright.journal import Journal
from genewright.part import Part, grid


class Move(NamedTuple):
    """How a variable was gathered along an axis: new[i] = old[places[i]], -1 for a new entry."""

    tensor: str
    axis: int
    places: NDArray[np.int64]


def carry_training(
    old: Any, new: Any, moves: Sequence[Move] = (), *, before: Mapping[str, Member] | None = None
) -> None:
    """Compile `new` as `old` was compiled, with an optimizer of its own that has the old one's state.

    State is carried for the variables of the same name, gathered along with them where they were; that of new
    variables starts as the optimizer starts it. Losses and metric functions
    are shared; metric objects are made again, with nothing counted.

    `before` has the old variables where `new` is the same model as `old`, whose layers were exchanged.

    A class with a `compile` of its own is compiled by it where that takes Keras's own arguments, else not at all.
    """
    if not getattr(old, "compiled", False):
        return
    settings = dict(old._compile_config.config)
    optimizer = old.optimizer
    settings["optimizer"] = class_of(optimizer).from_config(optimizer.get_config())
    for key in ("metrics", "weighted_metrics"):
        settings[key] = keras.tree.map_structure(_fresh_metric, settings[key])
    try:
        new.compile(**settings)
    except TypeError:
        if class_of(new).compile is keras.Model.compile:
            raise
        return
    if optimizer.built:
        new.optimizer.build(new.trainable_variables)
        _carry(optimizer, before or members_of(old), new, moves)


def _carry(optimizer: Any, old: Mapping[str, Member], new: Any, moves: Sequence[Move]) -> None:
    """Assign the optimizer's state: slot by slot for the variables of one name, the rest where shapes agree."""
    places = {id(member.variable): name for name, member in members_of(new).items()}
    before = {name: member.variable for name, member in old.items()}
    gathered = {name: [move for move in moves if move.tensor == name] for name in before}
    slots, others = _slots(new.optimizer)
    old_slots, old_others = _slots(optimizer)
    for name, variable in others.items():
        if name in old_others and tuple(old_others[name].shape) == tuple(variable.shape):
            variable.assign(np.array(array_of(old_others[name])))
    order = {id(v): i for i, v in enumerate(optimizer._trainable_variables)}
    for key, states in slots.items():
        for variable, state in zip(new.optimizer._trainable_variables, states, strict=True):
            name = places.get(id(variable))
            source = before.get(name) if name is not None else None
            if key not in old_slots or source is None or id(source) not in order or state is None:
                continue
            known = old_slots[key][order[id(source)]]
            if known is None:
                continue
            values = np.array(array_of(known))
            for move in gathered[str(name)]:
                values = moved_state(values, move)
            if values.shape == tuple(state.shape):
                state.assign(values)


def moved_state(values: NDArray[Any], move: Move) -> NDArray[Any]:
    """Return an optimizer's state gathered as its variable was; new entries take the mean along the axis.

    Zero there would make the first steps of Adam too large.
    """
    index = move.places
    if move.axis >= values.ndim or values.shape[move.axis] == 0:
        return values
    taken: NDArray[Any] = np.take(values, np.maximum(index, 0), axis=move.axis)
    fresh = (slice(None),) * move.axis + (index < 0,)
    taken[fresh] = np.mean(values, axis=move.axis, keepdims=True)
    return taken


def forget_state(model: Any, variable: Any, part: Part, journal: Journal | None) -> None:
    """Let what a model's optimizer holds of a part of a variable start again.

    First moments start at zero, all else at the mean of the variable's others: zero would make Adam's first steps too
    large.
    """
    optimizer = model.optimizer if getattr(model, "compiled", False) else None
    if optimizer is None or not optimizer.built:
        return
    inner = getattr(optimizer, "inner_optimizer", None) or optimizer
    places = [i for i, v in enumerate(inner._trainable_variables) if v is variable]
    for key, state in [(key, states[at]) for key, states in _slots(inner)[0].items() for at in places]:
        if state is None or tuple(state.shape) != tuple(variable.shape):
            continue
        old = np.array(array_of(state))
        chosen = np.zeros(old.shape, np.bool_)
        chosen[grid(part, old.shape)] = True
        others = old[~chosen]
        if journal is not None:
            journal.add(_assigning(state, old))
        state.assign(np.where(chosen, 0.0 if "momentum" in key or not others.size else others.mean(), old))


def _assigning(state: Any, old: NDArray[Any]) -> Callable[[], None]:
    return lambda: state.assign(old)


def _slots(optimizer: Any) -> tuple[dict[str, list[Any]], dict[str, Any]]:
    """Return the optimizer's state by attribute: a list with an entry for each variable, and single variables."""
    inner = getattr(optimizer, "inner_optimizer", None)
    if inner is not None:
        return _slots(inner)
    count = len(optimizer._trainable_variables)
    slots: dict[str, list[Any]] = {}
    known: set[int] = set()
    for attribute, value in attributes_of(optimizer).items():
        if attribute in ("_trainable_variables", "_variables") or not isinstance(value, list):
            continue
        entries = cast(list[Any], value)
        if len(entries) == count and all(e is None or isinstance(e, keras.Variable) for e in entries):
            slots[attribute] = entries
            known.update(map(id, entries))
    others = {str(v.path).split("/", 1)[-1]: v for v in optimizer.variables if id(v) not in known}
    return slots, others


def _fresh_metric(metric: Any) -> Any:
    return class_of(metric).from_config(metric.get_config()) if isinstance(metric, keras.metrics.Metric) else metric
