"""The reference and the navigation hold everything that a reader may look for."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import yaml
from docs.building.gallery import entries
from docs.building.reference import PAGES, exported, page, pages

import genewright

ROOT = Path(__file__).parents[2]


def test_every_public_name_is_on_one_page() -> None:
    listed = [name for names in pages().values() for name in names]
    shown = {one.cls.__name__ for one in entries()}
    public = {
        name
        for name, value in vars(genewright).items()
        if not (name.startswith("_") or inspect.ismodule(value))
        and getattr(value, "__module__", "").startswith("genewright.")
    }
    assert {name.public for name in listed if "." not in name.public} | shown == public
    assert public | {"authoring", "errors", "fitness", "neurons", "noise", "testing"} == set(genewright.__all__)
    assert "neurons.measure" in {name.public for name in listed}
    assert len({name.path for name in listed}) == len(listed)
    for name in listed:
        module, _, attribute = name.path.rpartition(".")
        assert getattr(importlib.import_module(module), attribute) is not None


def test_every_name_for_authors_and_tests_is_on_a_page_or_in_the_gallery() -> None:
    documented = {name.path for names in pages().values() for name in names}
    documented |= {f"{one.cls.__module__}.{one.cls.__qualname__}" for one in entries()}
    for room in (genewright.authoring, genewright.testing):
        names = {name.public: name.path for name in exported("", room)}
        assert set(names) == set(room.__all__)
        assert set(names.values()) - documented == set()


def test_what_is_public_is_listed_and_nothing_else_is_shown() -> None:
    assert {"mutate", "GaussianNoise", "operator", "authoring", "PluginWarning"} <= set(genewright.__all__)
    assert not {"annotations", "Any", "storage", "cli", "_registered"} & set(genewright.__all__)
    names: dict[str, object] = {}
    exec("from genewright import *", names)
    assert set(names) - {"__builtins__"} == set(genewright.__all__)


def test_no_page_is_left_out_of_a_title() -> None:
    for file, names in pages().items():
        assert page(PAGES[file][0], names).count("\n::: ") == len(names)


def test_every_written_page_stands_in_the_navigation() -> None:
    nav = str(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    written = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert {name for name in written if name not in nav} == set()
    assert re.findall(r"'(operators/|reference/)'", nav) == ["operators/", "reference/"]
