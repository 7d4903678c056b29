"""Units that the caller names, by number or by a mask, held to the width that they belong to."""

from __future__ import annotations

from collections.abc import Sequence

from genewright.errors import SettingError
from genewright.widths.knob import Knob


def numbers_of(units: Sequence[int] | Sequence[bool]) -> list[int]:
    """Return the numbers of the units that are meant.

    >>> numbers_of([False, True, True]), numbers_of([4, 7])
    ([1, 2], [4, 7])
    """
    return [at for at, gone in enumerate(units) if gone] if is_mask(units) else list(units)


def check_units(who: str, units: Sequence[int] | Sequence[bool], knob: Knob) -> None:
    """Refuse a mask of another length, and numbers that the width does not have.

    Raises:
        SettingError: They do not fit.
    """
    if is_mask(units) and len(units) != knob.size:
        raise SettingError(f"{who}: the mask has {len(units)} entries, {knob.name!r} {knob.size} units.")
    outside = [unit for unit in numbers_of(units) if unit >= knob.size]
    if outside:
        raise SettingError(f"{who}: {knob.name!r} has units 0 to {knob.size - 1}; received {outside[0]}.")


def is_mask(units: Sequence[object]) -> bool:
    """Whether units are said by one bool each."""
    return bool(units) and all(isinstance(one, bool) for one in units)
