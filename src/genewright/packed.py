"""Many numbers in one text: eight bytes a number, little-endian, in base64."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from typing import Any, Literal, cast

import numpy as np

from genewright.errors import SettingError

Kind = Literal["u8", "f8"]


def packed(numbers: Sequence[Any], kind: Kind) -> str:
    """Return the text of numbers: "u8" are ints from 0 to 2**64 - 1, "f8" floats.

    Example:
        >>> unpacked("example", "seeds", packed((1, 2**63), "u8"), "u8")
        (1, 9223372036854775808)
    """
    return base64.b64encode(np.array(numbers, f"<{kind}").tobytes()).decode()


def unpacked(who: str, name: str, given: Any, kind: Kind) -> tuple[Any, ...]:
    """Return the numbers of a text, or of a sequence.

    Args:
        who: Whose setting it is, for the message.
        name: The setting's name.
        given: What `packed` returned, or numbers.
        kind: As in `packed`.

    Raises:
        SettingError: It is neither, or a number does not fit.
    """
    number: Any = int if kind == "u8" else float
    try:
        if isinstance(given, str):
            return tuple(np.frombuffer(base64.b64decode(given, validate=True), f"<{kind}").tolist())
        numbers = tuple(cast("Iterable[Any]", given))
        exact: list[Any] = np.array([number(one) for one in numbers], f"<{kind}").tolist()
        if any(isinstance(one, bool | str) for one in numbers) or not np.isfinite(exact).all():
            raise ValueError("no numbers, or no finite ones")
        if kind == "u8" and exact != list(numbers):
            raise ValueError("no ints")
        return tuple(exact)
    except (TypeError, ValueError, OverflowError, binascii.Error):
        what = "ints from 0 to 2**64 - 1" if kind == "u8" else "finite numbers"
        raise SettingError(f"{who}: {name} are {what}; received {str(cast('object', given))[:80]!r}.") from None
