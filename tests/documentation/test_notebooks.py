"""The notebooks run from top to bottom in a fresh kernel, and are kept with their outputs."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from docs.building.notebooks import FOLDER, TITLES, as_page, executed, read

NEEDS = {"transformer": "transformers", "keras": "tensorflow"}


_CHANCE = re.compile(r"\b[0-9a-f]{8,}\b|[-+]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?|[\u2580-\u259f]| {2,}")


def outputs(notebook: object) -> list[str]:
    """Return what the cells print, without numbers, bars and fingerprints: they differ from processor to processor."""
    cells = getattr(notebook, "cells", [])
    streams = [o.text for c in cells if c.cell_type == "code" for o in c.outputs if o.output_type == "stream"]
    return [" ".join(_CHANCE.sub(" ", text).split()) for text in streams]


def pictures(notebook: object) -> int:
    """Return how many pictures the cells draw."""
    cells = getattr(notebook, "cells", [])
    return sum("image/png" in o.get("data", {}) for c in cells if c.cell_type == "code" for o in c.outputs)


def assert_runs(name: str, folder: Path) -> None:
    """Run a notebook; what it prints is in the words that are kept."""
    if name in NEEDS and find_spec(NEEDS[name]) is None:
        pytest.skip(f"{NEEDS[name]} is not installed here")
    kept = read(name)
    fresh = executed(kept, folder)
    assert len(outputs(kept)) > 2
    assert outputs(fresh) == outputs(kept)
    assert pictures(fresh) == pictures(kept)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the kernel's client, about itself
def test_the_first_notebook_runs(tmp_path: Path) -> None:
    assert_runs("snippet_to_safe", tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", [name for name in TITLES if name != "snippet_to_safe"])
def test_every_other_notebook_runs(name: str, tmp_path: Path) -> None:
    assert_runs(name, tmp_path)


def test_every_notebook_is_on_the_site() -> None:
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(TITLES)


@pytest.mark.parametrize("name", TITLES)
def test_a_notebook_is_kept_whole_and_names_no_machine(name: str) -> None:
    page, pictures = as_page(name)
    assert page.startswith("# ")
    assert all(f"]({picture})" in page for picture in pictures)
    code = [cell for cell in read(name).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not any(str(Path(__file__).parents[2]) in (FOLDER / f"{name}.ipynb").read_text() for _ in code)
    assert "Traceback" not in page
