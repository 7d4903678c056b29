"""The house: imports point upward, genewright imports no framework, every public name is documented."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import genewright as gw
from genewright.operator import Combinator, Operator, first_paragraph, registered

ROOT = Path(__file__).parents[1]
HOUSE = ROOT / "src" / "genewright"
PAGE = ROOT / "docs" / "architecture.md"


def rooms() -> list[set[str]]:
    """Return the rooms of the page's table, top first; rooms of one line are of one height."""
    table = PAGE.read_text().split("| room |")[1].split("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("|") and "`" in line]
    return [set(re.findall(r"`(\w+)(?:\.py|/)`", cell)) for cell in cells]


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def module_name(path: Path) -> str:
    parts = path.relative_to(HOUSE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, *, late: bool = True) -> set[str]:
    """Return every module of ours that a file imports, with `late` also inside functions."""
    found: set[str] = set()
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree) if late else tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: a relative import"
            # `from genewright import noise` imports the module genewright.noise
            named = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in named if name in MODULES}
            found |= modules if modules == named else modules | {node.module}
    return {name for name in found if name.split(".")[0] == "genewright"}


MODULES = {module_name(path) for path in HOUSE.rglob("*.py")}
FILES = [path for path in sorted(HOUSE.rglob("*.py")) if path not in (HOUSE / "__init__.py", HOUSE / "__main__.py")]


def test_every_room_is_on_the_page_once_and_every_room_on_the_page_exists() -> None:
    listed = [room for line in rooms() for room in line]
    present = {room_of(module_name(path)) for path in FILES}
    assert sorted(listed) == sorted(set(listed))
    assert present - set(listed) == set(), "write the new room into docs/architecture.md"
    assert set(listed) - present == set(), "docs/architecture.md has rooms that do not exist"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(HOUSE)))
def test_imports_point_upward(path: Path) -> None:
    height = {room: place for place, line in enumerate(rooms()) for room in line}
    own = height[room_of(module_name(path))]
    for name in imports(path):
        if room_of(name) in height:
            assert height[room_of(name)] <= own, f"{path.name} imports {name}, which is further down in the house"


def test_imports_have_no_cycle() -> None:
    """Between files: what one line of the page leaves open. (What is loaded only when it is used comes later.)"""
    edges = {module_name(p): imports(p, late=False) - {module_name(p)} for p in FILES}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"a cycle: {' -> '.join((*path, name))}"
        if name not in done:
            for other in sorted(edges.get(name, ())):
                visit(other, (*path, name))
            done.add(name)

    for name in edges:
        visit(name, ())


def test_genewright_imports_no_framework() -> None:
    heavy = [
        "torch",
        "keras",
        "tensorflow",
        "jax",
        "numba",
        "sklearn",
        "matplotlib",
        "scipy",
        "triton",
        "typer",
        "rich",
    ]
    code = f"import sys, genewright; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_genewright_works_without_torch_on_files(tmp_path: Path) -> None:
    """A machine without torch: importing it fails."""
    code = f"""
import sys
sys.modules["torch"] = None
import numpy as np
import genewright as gw
from genewright.backends.files.checkpoint import Checkpoint, Entry
base = Checkpoint({{"a.weight": Entry("float32", (3, 2), np.zeros(24, np.uint8))}})
mutant = gw.mutate(base, gw.GaussianNoise(std=1.0), seed=1)
gw.save(mutant, {str(tmp_path / "m.safetensors")!r})
assert gw.fingerprint(gw.read_checkpoint({str(tmp_path / "m.safetensors")!r})) == gw.fingerprint(mutant)
print("fine")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "fine", done.stderr


PUBLIC = {name: value for name, value in vars(gw).items() if not name.startswith("_") and not inspect.ismodule(value)}
OURS = {n: c for n, c in registered().items() if c.__module__.startswith("genewright.")}


@pytest.mark.parametrize("name", [n for n, v in PUBLIC.items() if callable(v)])
def test_every_public_name_has_a_docstring(name: str) -> None:
    value = PUBLIC[name]
    text = inspect.getdoc(value) or ""
    assert len(text) > 20
    assert not text.startswith(f"{name}("), "dataclass wrote this docstring"
    if isinstance(value, type):
        for attribute, method in vars(value).items():
            if inspect.isfunction(method) and not attribute.startswith("_"):
                assert inspect.getdoc(getattr(value, attribute)), f"{name}.{attribute} has no docstring"


@pytest.mark.parametrize("name", OURS)
def test_every_operator_is_a_name_of_gw_and_a_file_of_its_own(name: str) -> None:
    cls: Any = OURS[name]
    assert PUBLIC[cls.__name__] is cls
    assert cls.__module__.rsplit(".", 1)[-1] == name == cls.name
    assert issubclass(cls, Operator | Combinator)


@pytest.mark.parametrize("name", OURS)
def test_every_operator_says_formula_settings_errors_example_and_source(name: str) -> None:
    cls: Any = OURS[name]
    text = inspect.getdoc(cls) or ""
    for section in ("Args:", "Raises:", "Example:", "References:"):
        assert f"\n{section}\n" in text, section
    settings = text.split("Args:")[1].split("Raises:")[0]
    for setting in dataclasses.fields(cls):
        assert f"\n    {setting.name}: " in settings, setting.name
    assert first_paragraph(cls).endswith(".")
    assert len((HOUSE.parent / Path(*cls.__module__.split("."))).with_suffix(".py").read_text().splitlines()) < 200


@pytest.mark.parametrize("name", OURS)
def test_operators_import_no_framework_and_draw_from_no_other_generator(name: str) -> None:
    source = Path(inspect.getfile(OURS[name])).read_text()
    imported = {node.names[0].name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import)}
    assert imported <= {"math", "numpy", "dataclasses", "functools", "itertools"}
    assert "np.random" not in source
