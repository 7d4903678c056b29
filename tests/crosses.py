"""What runs by default of long lists: of operators by networks a part of the pairs, with every operator and network."""

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


def thinned(cases: Iterable[Any], *, one_in: int) -> list[Any]:
    """Return the cases as parameters; all but one in `one_in` are marked slow."""
    return [pytest.param(case, marks=() if at % one_in == 0 else pytest.mark.slow) for at, case in enumerate(cases)]
