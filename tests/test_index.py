"""Index: integers as runs, against plain lists."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import genewright as gw
from genewright.index import Index

LISTS = st.lists(st.integers(-1, 6), max_size=30) | st.lists(st.integers(-1, 40), max_size=30).map(sorted)


@given(LISTS)
def test_json_holds_the_integers(integers: list[int]) -> None:
    index = Index.of(integers)
    again = Index.from_json(json.loads(json.dumps(index.to_json())))
    assert again.array.tolist() == list(again) == integers
    assert again == index
    assert hash(again) == hash(index)
    assert len(again) == again.size == len(integers)


@given(LISTS, st.integers(-2, 8), st.integers(-2, 8))
def test_questions_are_answered_without_the_array_as_with_it(integers: list[int], low: int, high: int) -> None:
    for index in (Index.of(integers), Index.from_json(Index.of(integers).to_json())):
        assert index.within(low, high) == all(low <= i < high for i in integers)
        assert index.distinct() == (len(set(integers)) == len(integers))


def test_a_long_run_takes_no_memory_until_it_is_asked_for() -> None:
    index = Index.from_json([[0, 1 << 50], [-1, 1 << 50, 0]])
    assert index.size == 1 << 51
    assert not index.within(0, 1 << 50)
    assert index.within(-1, 1 << 50)


def test_runs_are_short() -> None:
    assert Index.of(range(1000)).to_json() == [[0, 1000]]
    assert Index.of([*range(512), *[-1] * 128, 7, 3]).to_json() == [[0, 512], [-1, 128, 0], 7, 3]


@pytest.mark.parametrize(
    "form", [None, {}, "01", [None], [[1]], [[1, 0]], [[1, 2, 3, 4]], [1.0], [True], [[0, 1 << 60]]]
)
def test_what_is_no_index_is_refused(form: Any) -> None:
    with pytest.raises(gw.RecipeError):
        Index.from_json(form)
