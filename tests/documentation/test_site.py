"""The built site in a real browser: nothing is asked of other hosts, links lead somewhere, the search finds."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest

from genewright.operator import registered
from tests.documentation.built import Looking, build, looking, served
from tests.report.browser import PATH

pytestmark = [
    pytest.mark.skipif(PATH is None, reason="no Chromium is installed here"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the browser's driver, about itself
]

_LINKS = """() => ({
  links: [...document.querySelectorAll('a[href]')].map(one => one.href),
  ids: [...document.querySelectorAll('[id]')].map(one => one.id),
  pictures: [...document.images].map(one => [one.src, one.naturalWidth > 0]),
  outside: [...document.querySelectorAll('link[href]:not([rel=canonical]), script[src], img[src], iframe[src]')]
    .map(one => one.href || one.src),
  formula: document.querySelector('.formula')?.innerText ?? '',
  references: [...document.querySelectorAll('h2[id]')].map(one => one.id),
  signature: document.querySelector('.doc-signature')?.innerText ?? '',
  sections: document.querySelectorAll('.doc-section-title, .admonition-title').length,
})"""
_WIDER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
WINDOWS = {"desktop": (1280, 900), "phone": (390, 844)}


def find(look: Looking, words: str) -> list[str]:
    """Type into the search of the page that is open; return the titles that it lists."""
    query = look.page.locator("input[name=query]")
    query.click()
    query.fill("")
    look.page.get_by_text("Type to start searching").wait_for()  # the index has been read
    query.press_sequentially(words)
    look.page.wait_for_selector(".md-search-result__item", timeout=20_000)
    return look.page.locator(".md-search-result__item").all_text_contents()


SMALL = """
site_name: Small
docs_dir: {docs}
theme: {{name: material, font: false, language: en}}
extra: {{generator: false}}
plugins: [search]
"""


def test_a_page_of_the_theme_asks_nothing_of_other_hosts_and_can_be_searched(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text("# Mutants\n\nSeeded noise, replayed.\n")
    (docs / "other.md").write_text("# Grafts\n\nWider networks keep their function.\n")
    (tmp_path / "mkdocs.yml").write_text(SMALL.format(docs=docs))
    build(tmp_path / "site", tmp_path / "mkdocs.yml")
    with served(tmp_path / "site") as address, looking() as look:
        look.page.goto(address)
        assert any("Grafts" in one for one in find(look, "wider"))
        assert {urlsplit(url).netloc for url in look.asked} == {urlsplit(address).netloc}
        assert look.trouble == []


@dataclass
class Seen:
    """The site as it is built, and what a browser found on each page of it that a link leads to."""

    folder: Path
    address: str
    look: Looking
    pages: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    def size(self, window: str) -> None:
        """Give the browser's window a size."""
        width, height = WINDOWS[window]
        self.look.page.set_viewport_size({"width": width, "height": height})

    def walk(self) -> None:
        """Open every page once, look at it in each width of window, and note what it holds."""
        page = self.look.page
        waiting = [self.address]
        while waiting:
            url = waiting.pop()
            if url in self.pages:
                continue
            self.size("desktop")  # before it opens: what slides in while a window is resized may stick out
            page.goto(url)
            found = self.pages[url] = page.evaluate(_LINKS)
            found["wider"] = {"desktop": page.evaluate(_WIDER)}
            self.size("phone")
            found["wider"]["phone"] = page.evaluate(_WIDER)
            links: list[str] = found["links"]
            here = [urldefrag(link)[0] for link in links if link.startswith(self.address)]
            waiting.extend(one for one in here if one.endswith("/"))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """The site, built and walked once for all tests: each page that is opened costs up to a second."""
    folder = tmp_path_factory.mktemp("site")
    build(folder)
    with served(folder) as address, looking() as look:
        site = Seen(folder, address, look)
        site.walk()
        yield site


@pytest.mark.slow
def test_every_page_is_whole(seen: Seen) -> None:
    assert len(seen.pages) > 100
    for url, found in seen.pages.items():
        assert [src for src, whole in found["pictures"] if not whole] == [], url
        assert [one for one in found["outside"] if not one.startswith((seen.address, "data:"))] == [], url
        assert {window: by for window, by in found["wider"].items() if by > 0} == {}, f"{url} is wider than a window"
    assert {urlsplit(url).netloc for url in seen.look.asked} == {urlsplit(seen.address).netloc}
    assert seen.look.trouble == []


@pytest.mark.slow
def test_every_link_leads_somewhere_and_to_every_page(seen: Seen) -> None:
    broken: list[tuple[str, str]] = []
    followed = 0
    for url, found in seen.pages.items():
        links: list[str] = found["links"]
        for link in links:
            if not link.startswith(seen.address):
                continue
            followed += 1
            page, anchor = urldefrag(link)
            path = seen.folder / unquote(page.removeprefix(seen.address))
            known = {*seen.pages[page]["ids"], ""} if page in seen.pages else {unquote(anchor)}
            if not path.exists() or unquote(anchor) not in known:
                broken.append((url, link))
    assert broken == []
    assert followed > 1000
    relative = {path.parent.relative_to(seen.folder).as_posix() for path in seen.folder.rglob("index.html")}
    built = {urljoin(seen.address, name + "/").removesuffix("./") for name in relative}
    assert built - set(seen.pages) == set(), "no link leads to these"


@pytest.mark.slow
def test_the_search_finds(seen: Seen) -> None:
    seen.size("desktop")
    seen.look.page.goto(seen.address)
    titles = {"widen": "Widen", "NSGA2": "NSGA2", "knob": "Glossary", "calibrate": "calibrate", "undo": "undo"}
    for words, title in titles.items():
        assert any(title.lower() in one.lower() for one in find(seen.look, words)), words


@pytest.mark.slow
def test_every_operator_has_its_picture_and_reference(seen: Seen) -> None:
    ours = {name: cls for name, cls in registered().items() if cls.__module__.startswith("genewright.")}
    assert len(ours) > 50
    for name, cls in ours.items():
        found = seen.pages[f"{seen.address}operators/{name}/"]
        assert found["formula"], name
        assert found["pictures"], name
        assert found["references"].count(f"{cls.__module__}.{cls.__qualname__}") == 1, name
        assert found["sections"] >= 1, name
        shown = found["signature"].replace("\n", "").partition("(")[2].partition("*")[0]
        taken = [one.name for one in inspect.signature(cls).parameters.values() if one.kind is not one.KEYWORD_ONLY]
        assert re.findall(r"(\w+):", shown) == taken, f"{name} takes {taken} by position"
