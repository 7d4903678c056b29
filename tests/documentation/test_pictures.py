"""The README's picture is what its program draws, and shows what it says."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET

import pytest
from docs.pictures import badges, grown
from matplotlib.image import imread


@pytest.fixture(scope="module")
def found() -> grown.Grown:
    return grown.grown()


def test_the_loss_goes_on_where_it_was(found: grown.Grown) -> None:
    assert found.kept[0] == pytest.approx(found.start[-1], abs=1e-6)
    assert found.anew[0] > 100 * found.start[-1]
    assert found.kept[-1] < found.anew[-1] / 10


def test_seven_units_are_new(found: grown.Grown) -> None:
    units = [
        sum(layer.out_features for layer in net if hasattr(layer, "weight")) for net in (found.before, found.after)
    ]
    assert units[1] - units[0] == 7


def test_the_picture_is_kept_as_it_is_drawn(found: grown.Grown) -> None:
    drawn = imread(io.BytesIO(grown.draw(found)))
    kept = imread(grown.PATH)
    assert drawn.shape == kept.shape
    assert (abs(drawn - kept) > 0.2).mean() < 0.02  # other processors train to slightly other weights
    assert grown.PATH.stat().st_size < 200_000


def test_the_badges_say_what_the_package_says() -> None:
    readme = (badges.ROOT / "README.md").read_text()
    for file, text in badges.badges().items():
        assert (badges.FOLDER / file).read_text() == text, "python -m docs.pictures.badges"
        assert ET.fromstring(text).tag.endswith("svg")
        assert f"docs/pictures/{file}" in readme
