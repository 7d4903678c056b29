"""Spellings of names, and the one language of patterns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genewright.names import did_you_mean, is_pattern, kebab_case, matches, snake_case

_NAMES = st.text("ab.[]!-^\\(0", max_size=6)


@given(_NAMES)
def test_a_name_without_stars_and_question_marks_is_itself_alone(name: str) -> None:
    assert not is_pattern(name)
    assert matches(name, name)
    assert not matches(name, f"{name}a")
    assert not matches(f"{name}a", name)


@given(_NAMES, _NAMES, _NAMES)
def test_a_star_is_any_text_and_a_question_mark_one_character(before: str, between: str, after: str) -> None:
    name = before + between + after
    assert matches(f"{before}*{after}", name)
    assert matches(before + "?" * len(between) + after, name)
    assert not matches("?" * (len(name) + 1), name)


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("qkv[0]", "qkv[0]", True),
        ("qkv[0]", "qkv0", False),
        ("layers.*.qkv[?]", "layers.11.qkv[2]", True),
        ("[!a]", "b", False),
        ("[!a]", "[!a]", True),
        ("[0-9]*", "7x", False),
        ("a.b", "axb", False),
        ("a*", "a\nb", True),
    ],
)
def test_brackets_and_points_are_plain_text(pattern: str, name: str, expected: bool) -> None:
    assert matches(pattern, name) is expected


def test_class_names_are_spelled_for_files_and_for_the_command_line() -> None:
    assert snake_case("ReLU6Noise") == "re_lu6_noise"
    assert kebab_case("SwapUnits") == "swap-units"


def test_near_names_are_found_with_brackets_too() -> None:
    assert did_you_mean("qkv[3]", ["qkv[0]", "head"]) == "Did you mean 'qkv[0]'?"
    assert did_you_mean("zzzzzz", ["a", "b", "c"], shown=2) == "There are: a, b and 1 more."
    assert did_you_mean("x", []) == "There are none."
