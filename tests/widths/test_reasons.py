"""Reasons: an enumeration that code asks for, and words that people read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import genewright
from genewright.widths.reasons import Cause, Reason

SOURCE = Path(genewright.__file__).parent


def test_the_words_are_the_sentence_the_detail_the_hint_and_the_place() -> None:
    reason = Reason(Cause.UNKNOWN_OPERATION, "a Lambda", "flip, a Lambda", hint="Write a rule")
    assert str(reason) == "no rule says what a Lambda does to widths. Write a rule (flip, a Lambda)"
    assert str(Reason(Cause.OUTPUT)) == "it is a length of the model's output"
    assert str(Reason(Cause.OTHER, "{braces} of yours")) == "{braces} of yours"


@pytest.mark.parametrize(("cause", "detail"), [(Cause.AVERAGED, ""), (Cause.OUTPUT, "aten.mean")])
def test_a_detail_belongs_to_a_sentence_that_has_a_place_for_it(cause: Cause, detail: str) -> None:
    with pytest.raises(RuntimeError, match=f"Cause.{cause.name}"):
        Reason(cause, detail)


def _used() -> Iterator[tuple[str, Cause, bool]]:
    """Yield where the code states a cause, which, and whether with a detail."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) == "dict.fromkeys":
                continue
            for position, given in enumerate(node.args):
                if isinstance(given, ast.Attribute) and ast.unparse(given.value) == "Cause":
                    yield f"{path.name}:{given.lineno}", Cause[given.attr], len(node.args) > position + 1


def test_every_rule_states_its_causes_with_the_details_that_they_ask_for() -> None:
    used = list(_used())
    assert len(used) > 100
    assert [place for place, cause, detailed in used if detailed != ("{}" in cause.value)] == []


def test_every_cause_is_stated_somewhere() -> None:
    text = "".join(path.read_text("utf-8") for path in SOURCE.rglob("*.py"))
    assert [cause for cause in Cause if cause is not Cause.OTHER and f"Cause.{cause.name}" not in text] == []
