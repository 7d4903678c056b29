"""The reference and the navigation hold everything that a reader may look for."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import yaml
from docs.building.gallery import entries
from docs.building.reference import PAGES, page, pages

import genewright

ROOT = Path(__file__).parents[2]


def test_every_public_name_is_on_one_page() -> None:
    listed = [name for names in pages().values() for name in names]
    shown = {one.cls.__name__ for one in entries()}
    public = {
        name
        for name, value in vars(genewright).items()
        if not name.startswith("_") and getattr(value, "__module__", "").startswith("genewright.")
    }
    assert {name.public for name in listed if "." not in name.public} | shown == public
    assert "neurons.measure" in {name.public for name in listed}
    assert len({name.path for name in listed}) == len(listed)
    for name in listed:
        module, _, attribute = name.path.rpartition(".")
        assert getattr(importlib.import_module(module), attribute) is not None


def test_no_page_is_left_out_of_a_title() -> None:
    for file, names in pages().items():
        assert page(PAGES[file][0], names).count("\n::: ") == len(names)


def test_every_written_page_stands_in_the_navigation() -> None:
    nav = str(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    written = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert {name for name in written if name not in nav} == set()
    assert re.findall(r"'(operators/|reference/)'", nav) == ["operators/", "reference/"]
