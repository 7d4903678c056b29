"""Units as a setting says them: numbers, or a mask that is True for those that are meant."""

from __future__ import annotations

from collections.abc import Sequence


def is_mask(units: Sequence[object]) -> bool:
    """Whether units are said by a mask.

    >>> is_mask((True, False)), is_mask((1, 0)), is_mask(())
    (True, False, False)
    """
    return bool(units) and all(isinstance(one, bool) for one in units)


def unit_numbers(units: Sequence[int] | Sequence[bool] | None) -> tuple[int, ...]:
    """Return the numbers of units, in order.

    >>> unit_numbers((False, True, True)), unit_numbers((4, 2)), unit_numbers(None)
    ((1, 2), (2, 4), ())
    """
    given = units or ()
    return tuple(at for at, meant in enumerate(given) if meant) if is_mask(given) else tuple(sorted(given))
