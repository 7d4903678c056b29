"""Crosses of operators with networks: by default a part of the pairs, every operator and every network among them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

import pytest


def crossed(rows: Iterable[str], columns: Iterable[str], *, one_in: int, but: Collection[Any] = ()) -> Iterator[Any]:
    """Yield the pairs of `rows` and `columns` without `but`, as parameters; all but one in `one_in` are marked slow.

    Pairs that run by default lie on diagonals, so that each row and each column has some.
    """
    columns = tuple(columns)
    for at, row in enumerate(rows):
        left = [column for column in columns if (row, column) not in but]
        for beside, column in enumerate(left):
            marks = () if (at + beside) % one_in == 0 else pytest.mark.slow
            yield pytest.param(row, column, marks=marks)
