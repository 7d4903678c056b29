"""Every snippet in README and docs runs: Python blocks in one namespace a page, commands in one folder a page."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet
from docs.building.snippets import agree, blocks, run

from tests.pretrained import torchvision_ready

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")),
    *sorted((ROOT / "docs").rglob("*.md")),
]

_KERAS = (
    pytest.mark.skipif(find_spec("keras") is None, reason="Keras is not installed here"),
    pytest.mark.filterwarnings(
        "ignore::DeprecationWarning", "ignore::FutureWarning"
    ),  # of the frameworks, about themselves
)


_SCRIPT = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
_LIBRARIES = (
    pytest.mark.slow,
    pytest.mark.skipif(None in map(find_spec, ("transformers", "peft")), reason="a library is not installed here"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),  # as above
)


def _page(page: Path) -> ParameterSet:
    text = page.read_text()
    marks = _KERAS if "import keras\n" in text else _LIBRARIES if "import transformers\n" in text else _SCRIPT
    return pytest.param(page, id=str(page.relative_to(ROOT)), marks=marks)


@pytest.mark.parametrize("page", [_page(p) for p in PAGES if blocks(p.read_text())])
def test_snippets_of_a_page_run_and_print_what_it_shows(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, "snippet", None)  # taken back at the end
    torchvision_ready()
    ran = 0
    for block, printed in run(page.read_text(), str(page)):
        assert block.shown is None or agree(block.shown, printed), f"{block.code}\nprints\n{printed}"
        ran += 1
    assert ran > 0


def test_every_block_of_the_readme_shows_what_it_prints() -> None:
    found = blocks((ROOT / "README.md").read_text())
    assert len(found) > 10
    assert [block.code for block in found if block.shown is None] == []


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("accuracy 0.332 -> 0.332\n", "accuracy  0.332 -> 0.332", True),
        ("error 1.2e-07", "error 0", True),
        ("error 0.25", "error 0.26", False),
        ("b3:12ab", "b3:13ab", False),
        ("w + 0.5 * normal", "w - 0.5 * normal", False),
        ("one\n", "one\ntwo\n", False),
    ],
)
def test_outputs_agree_in_words_and_nearly_in_numbers(shown: str, printed: str, *, same: bool) -> None:
    assert agree(shown, printed) is same


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", re.sub(r"(?s)```.*?```", "", page.read_text()))
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_the_readme_shows_nothing_of_other_hosts() -> None:
    text = (ROOT / "README.md").read_text()
    assert [t for t in re.findall(r"\]\(([^)\s]+)\)", text) if ":" in t] == []
    assert "://" not in text
