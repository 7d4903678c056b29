"""The units that an operator removes by number, and those that stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from genewright.errors import SettingError
from genewright.settings import check_integer
from genewright.widths.knob import Knob


def check_units(owner: object, units: object) -> None:
    """Check a setting `units` of a frozen dataclass, and keep it as a tuple of ints.

    Raises:
        SettingError: It is not some different numbers from 0 on.
    """
    if units is None:
        return
    several = isinstance(units, list | tuple | np.ndarray)
    given: list[Any] = np.asarray(cast(Any, units)).tolist() if several else [units]
    for unit in given:
        check_integer(owner, "units", unit, low=0)
    if not given or len(set(given)) != len(given):
        raise SettingError(f"{type(owner).__name__}: units are different numbers, at least one; received {units!r}.")
    object.__setattr__(owner, "units", tuple(given))


def remaining(owner: object, units: Sequence[int] | None, knob: Knob) -> list[int]:
    """Return the units of a knob that stay.

    Args:
        owner: The operator, for messages.
        units: Those that go; None for the last one.
        knob: The knob.

    Raises:
        SettingError: One does not exist, or none would stay.
    """
    gone = (knob.size - 1,) if units is None else units
    outside = [unit for unit in gone if unit >= knob.size]
    who = type(owner).__name__
    if outside:
        raise SettingError(f"{who}: {knob.name!r} has units 0 to {knob.size - 1}; received {outside[0]}.")
    kept = [unit for unit in range(knob.size) if unit not in set(gone)]
    if not kept:
        raise SettingError(f"{who}: {knob.name!r} has {knob.size} units; none would stay.")
    return kept
