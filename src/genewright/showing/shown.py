"""Shown: objects that a prompt has in at most 30 lines, a notebook as tables and pictures, and `details()` whole."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from genewright.attributes import LookedAt
from genewright.calls import Answering, answered_methods

LINES = 30
"""How many lines an object has at a prompt, and how many rows in a notebook."""


class Shown(LookedAt, ABC, metaclass=Answering):
    """What `print`, a prompt and a notebook show of an object; what it lacks is answered with what to write.

    Derive, write `details` and `_repr_html_`, and decorate with ``@dataclass(repr=False)``: else the dataclass brings a
    `repr` of its own.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        answered_methods(cls)

    @abstractmethod
    def details(self) -> str:
        """Return all there is to say, however many lines it takes."""

    @abstractmethod
    def _repr_html_(self) -> str:
        """Return a fragment of HTML without scripts and without links, for notebooks."""

    def __str__(self) -> str:
        return shortened(self.details())

    def __repr__(self) -> str:
        return str(self)


def shortened(text: str, most: int = LINES) -> str:
    r"""Return a text of at most `most` lines: of a longer one the beginning and the end, for the end sums up.

    >>> print(shortened("\n".join("abcdefgh"), 5))
    a
    b
    ... and 4 more lines: .details()
    g
    h
    """
    lines = text.split("\n")
    if len(lines) <= most:
        return text
    tail = min((most - 1) // 2, 6)
    head = most - 1 - tail
    cut = f"... and {len(lines) - head - tail:,} more lines: .details()"
    return "\n".join([*lines[:head], cut, *lines[len(lines) - tail :]])
