"""Every snippet in README and docs runs: Python blocks in one namespace a page, commands in one folder a page."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import types
from importlib.util import find_spec
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
_BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _blocks(page: Path) -> list[tuple[str, str]]:
    return _BLOCK.findall(page.read_text())


_KERAS = (
    pytest.mark.skipif(find_spec("keras") is None, reason="Keras is not installed here"),
    pytest.mark.filterwarnings(
        "ignore::DeprecationWarning", "ignore::FutureWarning"
    ),  # of the frameworks, about themselves
)


def _page(page: Path) -> ParameterSet:
    return pytest.param(
        page, id=str(page.relative_to(ROOT)), marks=_KERAS if "import keras\n" in page.read_text() else ()
    )


@pytest.mark.parametrize("page", [_page(p) for p in PAGES if _blocks(p)])
def test_snippets_of_a_page_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = types.ModuleType("snippet")
    monkeypatch.setitem(sys.modules, "snippet", module)
    namespace = vars(module)
    ran = 0
    for language, text in _blocks(page):
        if language == "python":
            exec(compile(text, str(page), "exec"), namespace)
            ran += 1
            continue
        for line in text.splitlines():
            if line.startswith("$ genewright "):
                command = [sys.executable, "-m", "genewright", *shlex.split(line)[2:]]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
                ran += 1
    assert ran > 0


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert broken == []
