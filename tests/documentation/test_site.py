"""The built site in a real browser: nothing is asked of other hosts, links lead somewhere, the search finds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
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
  wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
})"""


def find(look: Looking, address: str, words: str) -> list[str]:
    """Type into the search; return the titles that it lists."""
    look.page.goto(address)
    look.page.click("input[name=query]")
    look.page.get_by_text("Type to start searching").wait_for()  # the index has been read
    look.page.locator("input[name=query]").press_sequentially(words)
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
        assert any("Grafts" in one for one in find(look, address, "wider"))
        assert {urlsplit(url).netloc for url in look.asked} == {urlsplit(address).netloc}
        assert look.trouble == []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    folder = tmp_path_factory.mktemp("site")
    build(folder)
    with served(folder) as address:
        yield folder, address


@pytest.mark.slow
def test_every_page_is_whole_and_every_link_leads_somewhere(site: tuple[Path, str]) -> None:
    folder, address = site
    seen: dict[str, set[str]] = {}
    links: list[tuple[str, str]] = []
    with looking() as look:
        waiting = [address]
        while waiting:
            url = waiting.pop()
            if url in seen:
                continue
            look.page.goto(url)
            found = look.page.evaluate(_LINKS)
            seen[url] = {*found["ids"], ""}
            assert [src for src, whole in found["pictures"] if not whole] == [], url
            assert [one for one in found["outside"] if not one.startswith((address, "data:"))] == [], url
            assert found["wide"] <= 0, f"{url} is wider than the window"
            for link in found["links"]:
                if link.startswith(address):
                    links.append((url, link))
                    page = urldefrag(link)[0]
                    if page.endswith("/"):
                        waiting.append(page)
        assert {urlsplit(url).netloc for url in look.asked} == {urlsplit(address).netloc}
        assert look.trouble == []
    broken = []
    for url, link in links:
        page, anchor = urldefrag(link)
        path = folder / unquote(page.removeprefix(address))
        if not path.exists() or (page in seen and unquote(anchor) not in seen[page]):
            broken.append((url, link))
    assert broken == []
    built = {urljoin(address, path.parent.relative_to(folder).as_posix() + "/") for path in folder.rglob("index.html")}
    assert {url for url in built if url.removesuffix("./") not in seen} == set(), "no link leads to these"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "title"),
    [("widen", "Widen"), ("NSGA2", "NSGA2"), ("knob", "Glossary"), ("calibrate", "calibrate"), ("undo", "undo")],
)
def test_the_search_finds(site: tuple[Path, str], words: str, title: str) -> None:
    with looking() as look:
        assert any(title.lower() in one.lower() for one in find(look, site[1], words))


@pytest.mark.slow
def test_every_operator_has_its_picture_and_reference(site: tuple[Path, str]) -> None:
    folder, address = site
    with looking() as look:
        for name, cls in registered().items():
            if cls.__module__.startswith("genewright."):
                assert (folder / "operators" / name / "index.html").exists()
                look.page.goto(f"{address}operators/{name}/")
                assert look.page.locator(".formula").inner_text()
                assert look.page.locator(f'h2[id="{cls.__module__}.{cls.__qualname__}"]').count() == 1
                assert look.page.locator(".doc-section-title, .admonition-title").count() >= 1
