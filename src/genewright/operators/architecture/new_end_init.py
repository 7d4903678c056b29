"""How new units at an end of a model are filled: zeros, means, noise, copies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genewright.edits import Edit, Gather, Map
from genewright.edits.functions import MeanFill
from genewright.errors import SettingError
from genewright.index import Index
from genewright.network import Network
from genewright.operators.architecture.gather_units import draw
from genewright.part import along
from genewright.settings import check_choice
from genewright.widths import knob as widths
from genewright.widths.knob import Knob
from genewright.widths.layouts import by_unit


def check_init(owner: object, init: object, words: Sequence[str], num_units: int) -> Any:
    """Return a setting `init`, checked: one of some words, or the old unit that each new one copies.

    Raises:
        SettingError: It is neither, or says another number of copies.
    """
    if not isinstance(init, Mapping):
        check_choice(owner, "init", init, words)
        return init
    who = type(owner).__name__
    given: dict[str, Any] = dict(cast("Mapping[str, Any]", init))
    units: Any = given.get("copy")
    if list(given) != ["copy"] or not isinstance(units, list | tuple):
        raise SettingError(f'{who}: init is one of {", ".join(words)}, or {{"copy": [0, 2]}}; received {init!r}.')
    numbers = [int(unit) for unit in cast("Sequence[Any]", units)]
    if len(numbers) != num_units or any(type(one) is not int or one < 0 for one in cast("Sequence[Any]", units)):
        raise SettingError(
            f"{who}: init={{'copy': ...}} names the old unit of each of the {num_units} new ones, from 0 on; received "
            f"{units!r}."
        )
    return {"copy": numbers}


def donors_of(init: object, knob: Knob, owner: object) -> list[int] | None:
    """Return the units that are copied, or None where none are named.

    Raises:
        SettingError: One does not exist.
    """
    if not isinstance(init, Mapping):
        return None
    donors: list[int] = list(cast("Mapping[str, list[int]]", init)["copy"])
    outside = [unit for unit in donors if unit >= knob.size]
    if outside:
        raise SettingError(
            f"{type(owner).__name__}: {knob.name!r} has units 0 to {knob.size - 1}; received {outside[0]}."
        )
    return donors


def fill(init: object, moved: Gather, knob: Knob, network: Network, *, role: str) -> Iterator[Edit]:
    """Yield the edits that fill new units after they have been gathered as zeros: "mean" or "noise".

    Args:
        init: The setting.
        moved: What gathered them.
        knob: The width.
        network: The network.
        role: The places that are filled: "writer" or "reader".
    """
    if init not in ("mean", "noise"):
        return
    for place, edited in zip(knob.places, moved.places, strict=True):
        if not edited.blank or not _is_filled(place, network, role):
            continue
        if init == "noise":
            if role in place.roles:
                yield draw(moved, edited, network)
            continue
        at = by_unit(edited.layout, moved.index.size)
        new = moved.new.array
        for column in at.T:  # one position a unit: where a width is repeated, each repetition has a mean of its own
            order: NDArray[np.int64] = np.sort(column)
            yield Map(
                tensor=place.tensor,
                function=MeanFill(axis=place.axis, new=Index.of(_found(order, column[new]))),
                part=() if len(order) == len(moved.moved(edited)) else along(place.axis, order),
            )


def _found(order: NDArray[np.int64], positions: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.searchsorted(order, positions)


def _is_filled(place: widths.Place, network: Network, role: str) -> bool:
    return role in place.roles or (role == "writer" and network.tensor(place.tensor).role == "bias")
