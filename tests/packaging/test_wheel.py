"""What users get: the sdist, the wheel that is built from it, and what that does without extras.

`make test-matrix` runs the wheel on other Pythons and beside each framework.
"""

from __future__ import annotations

import tarfile
import tomllib
from pathlib import Path

import pytest
import yaml

import genewright
from tests.packaging.environments import ROOT, UnavailableError, build_sdist_and_wheel, kept, oldest
from tests.packaging.matrix import run_program
from tests.packaging.wheel import check_sdist, check_wheel


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return build_sdist_and_wheel(tmp_path_factory.mktemp("dist"))


def test_the_sdist_holds_what_the_tests_and_the_documentation_need(built: tuple[Path, Path]) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is an unpacked sdist: nothing says what the repository holds")
    names = check_sdist(built[0])
    assert {"pyproject.toml", "tests/conftest.py", "mkdocs.yml", "README.md", "CITATION.cff", "LICENSE"} <= names
    with tarfile.open(built[0]) as archive:
        assert all(member.isfile() for member in archive.getmembers())


def test_the_wheel_of_the_sdist_is_whole(built: tuple[Path, Path]) -> None:
    assert check_wheel(built[1]) == genewright.__version__


@pytest.mark.slow  # `make dist` and `make test-matrix` do the same
def test_the_wheel_of_the_sdist_works_without_extras(built: tuple[Path, Path]) -> None:
    try:
        found = run_program(kept("bare", built[1]))
    except UnavailableError as reason:
        pytest.skip(str(reason))
    assert found["version"] == genewright.__version__


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version", "readme"]
    assert project["tool"]["hatch"]["version"]["path"] == "src/genewright/__init__.py"
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert "version" not in citation
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["license"] == project["project"]["license"]
    assert citation["repository-code"] == project["project"]["urls"]["Source"]
    assert f"## {genewright.__version__} " in (ROOT / "CHANGELOG.md").read_text()


def test_oldest_releases_are_read_from_the_lower_bounds() -> None:
    assert "numpy==1.26" in oldest()
    assert not any(">" in pin for pin in oldest("torch", "fast"))
    assert oldest("torch")[-1].startswith("torch==")
