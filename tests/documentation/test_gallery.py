"""Every operator has a page with its formula, its source and a picture; one without fails here, and in `make docs`."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from docs.building import drawing
from docs.building.gallery import IncompleteError, entries, entry, index, page

from genewright.operator import registered
from genewright.operators.weights.gaussian_noise import GaussianNoise

OURS = [name for name, cls in registered().items() if cls.__module__.startswith("genewright.")]


def test_every_operator_is_shown_with_formula_and_source() -> None:
    shown = entries()
    assert sorted(one.cls.name for one in shown) == sorted(OURS)
    gallery = index(shown)
    for one in shown:
        assert " = " in one.formula
        assert any(character.isdigit() for character in one.paper), f"{one.cls.name}: no year and no number"
        assert f"]({one.page})" in gallery
        assert one.picture in page(one)


@pytest.mark.parametrize(
    ("part", "lost"),
    [("w' = w +", "a formula"), ("References:", "a source"), ("gw.mutate(net", "an example that calls")],
)
def test_an_operator_whose_docstring_lacks_something_is_refused(part: str, lost: str) -> None:
    text = GaussianNoise.__doc__ or ""
    assert part in text
    lacking = type("Lacking", (), {"__doc__": text.replace(part, "Something else"), "__module__": "elsewhere"})
    with pytest.raises(IncompleteError, match=lost):
        entry(lacking)


def test_a_picture_shows_what_is_new() -> None:
    widen = next(one for one in entries() if one.cls.name == "widen")
    mutation = drawing.recorded(widen.example, "widen")
    old, new = mutation.tensors
    assert old["0.weight"].shape == (8, 4)
    assert new["0.weight"].shape == (12, 4)
    assert mutation.layers[0]["0"] != mutation.layers[1]["0"]
    picture = drawing.draw(mutation)
    assert ET.fromstring(picture).tag.endswith("svg")
    assert drawing.NEW.encode() in picture
    assert picture == drawing.draw(mutation)


def test_an_example_that_mutates_nothing_has_no_picture() -> None:
    with pytest.raises(ValueError, match="mutates no network"):
        drawing.recorded(">>> 1 + 1\n2\n", "none")


@pytest.mark.slow
@pytest.mark.parametrize("name", OURS)
def test_every_picture_can_be_drawn(name: str) -> None:
    one = next(one for one in entries() if one.cls.name == name)
    assert ET.fromstring(drawing.draw(drawing.recorded(one.example, name))).tag.endswith("svg")
