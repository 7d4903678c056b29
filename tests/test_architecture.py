"""The house: imports point upward, genewright imports no framework, every public name is documented."""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import genewright as gw
from genewright.operator import Combinator, Operator, first_paragraph, registered

ROOT = Path(__file__).parents[1]
HOUSE = ROOT / "src" / "genewright"
DEMO = ROOT / "src" / "genewright_demo"
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


def _named(node: ast.AST) -> set[str]:
    """Return the modules of ours that an import statement names."""
    found: set[str] = set()
    if isinstance(node, ast.Import):
        found = {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom) and node.module:
        # `from genewright import noise` imports the module genewright.noise
        named = {f"{node.module}.{alias.name}" for alias in node.names}
        modules = {name for name in named if name in MODULES}
        found = modules if modules == named else modules | {node.module}
    return {name for name in found if name.split(".")[0] == "genewright"}


def imports(tree: ast.Module) -> set[str]:
    """Return every module of ours that is imported by a statement outside functions, for type checkers too."""
    inside = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    return {name for node in ast.walk(tree) if id(node) not in inside for name in _named(node)}


def late_imports(tree: ast.Module) -> set[str]:
    """Return every module of ours that is imported when it is used: inside functions, or by a name in a string.

    A string counts where the file calls `import_module` or `walk_packages`, in the call or in a table beside it; of an
    f-string its beginning.
    """
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    found = {name for function in functions for node in ast.walk(function) for name in _named(node)}
    called = {ast.unparse(node.func).rsplit(".", 1)[-1] for node in ast.walk(tree) if isinstance(node, ast.Call)}
    if called & {"import_module", "walk_packages"}:
        strings = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
        found |= {text.rstrip(".") for text in strings if text.rstrip(".") in MODULES - {"genewright"}}
    return found


MODULES = {module_name(path) for path in HOUSE.rglob("*.py")}
FILES = [path for path in sorted(HOUSE.rglob("*.py")) if path not in (HOUSE / "__init__.py", HOUSE / "__main__.py")]


@functools.cache
def trees() -> dict[str, ast.Module]:
    """Return what every file says, parsed when it is asked for: not by a worker that runs none of these tests."""
    return {module_name(path): ast.parse(path.read_text()) for path in FILES}


FOUND_BY_NAME = "a framework's part is imported only where that framework already is"
COSTS_TIME = "importing it takes long, and most processes do not need it"
BEHIND_A_CHECK = "it needs packages that are optional, and a check that they are installed comes before"
LATE = {
    ("genewright.backends", "genewright.backends.files"): FOUND_BY_NAME,
    ("genewright.backends", "genewright.backends.files.state_dicts"): FOUND_BY_NAME,
    ("genewright.backends", "genewright.backends.keras"): FOUND_BY_NAME,
    ("genewright.backends", "genewright.backends.torch"): FOUND_BY_NAME,
    ("genewright.backends.torch.device", "genewright.noise.cuda"): BEHIND_A_CHECK,
    ("genewright.backends.torch.integrations", "genewright.integrations.huggingface_hub"): FOUND_BY_NAME,
    ("genewright.backends.torch.integrations", "genewright.integrations.timm"): FOUND_BY_NAME,
    ("genewright.backends.torch.integrations", "genewright.integrations.transformers"): FOUND_BY_NAME,
    ("genewright.conformance.cases", "genewright.conformance"): FOUND_BY_NAME,
    ("genewright.evolution.run", "genewright.report.evolution.page"): "a run writes its page when it is asked to",
    ("genewright.folders", "genewright.integrations.huggingface_hub.folder"): FOUND_BY_NAME,
    ("genewright.folders", "genewright.integrations.timm.folder"): FOUND_BY_NAME,
    ("genewright.folders", "genewright.integrations.transformers.folder"): FOUND_BY_NAME,
    (
        "genewright.files",
        "genewright.backends.keras.model_files",
    ): "only Keras's reader can build a model from its own file",
    ("genewright.files", "genewright.integrations.peft"): FOUND_BY_NAME,
    ("genewright.fitness.acting", "genewright.backends.torch.modes"): FOUND_BY_NAME,
    (
        "genewright.mutation_testing.report",
        "genewright.report.mutation_testing.page",
    ): "a report writes its page when it is asked to",
    ("genewright.noise.backends", "genewright.noise.compiled"): COSTS_TIME,
    ("genewright.noise.compiled.machine_code", "genewright.noise.compiled.kernels.entries"): COSTS_TIME,
    ("genewright.populations.population", "genewright.populations.keras"): FOUND_BY_NAME,
    ("genewright.reductions.compiled", "genewright.reductions.kernels"): COSTS_TIME,
    ("genewright.reductions.reduction", "genewright.reductions.compiled"): COSTS_TIME,
    ("genewright.populations.population", "genewright.populations.torch"): FOUND_BY_NAME,
    ("genewright.operator", "genewright.operators"): "the registry finds operators, and each operator is made of it",
}
"""Imports that the direction cannot hold, for they happen when they are used; each with its reason. No others."""


def test_every_room_is_on_the_page_once_and_every_room_on_the_page_exists() -> None:
    listed = [room for line in rooms() for room in line]
    present = {room_of(name) for name in trees()}
    assert sorted(listed) == sorted(set(listed))
    assert present - set(listed) == set(), "write the new room into docs/architecture.md"
    assert set(listed) - present == set(), "docs/architecture.md has rooms that do not exist"


def test_imports_point_upward_and_none_is_relative() -> None:
    height = {room: place for place, line in enumerate(rooms()) for room in line}
    downward = [
        f"{name} imports {other}, which is further down in the house"
        for name, tree in trees().items()
        for other in sorted(imports(tree))
        if height.get(room_of(other), 0) > height[room_of(name)]
    ]
    relative = [
        n for n, t in trees().items() for node in ast.walk(t) if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert downward == []
    assert relative == []


def test_late_imports_are_the_listed_ones() -> None:
    found = {(name, other) for name, tree in trees().items() for other in late_imports(tree)}
    assert found - set(LATE) == set(), "import at the top of the file; where that cannot be, say why in LATE"
    assert set(LATE) - found == set(), "these are gone: take them off the list"


def test_a_late_import_is_seen_however_it_is_written() -> None:
    ways = (
        "def f():\n    from genewright.noise import draw",
        "def f():\n    import genewright.noise",
        "import importlib\nimportlib.import_module('genewright.noise')",
        "from importlib import import_module\nTABLE = {'a': 'genewright.noise'}\nimport_module(TABLE['a'])",
        "import pkgutil\npkgutil.walk_packages(paths, 'genewright.noise.')",
        "from importlib import import_module\nimport_module(f'genewright.noise.{name}')",
    )
    for way in ways:
        assert late_imports(ast.parse(way)) == {"genewright.noise"}, way
        assert imports(ast.parse(way)) == set(), way
    assert late_imports(ast.parse("NAME = 'genewright.noise'")) == set()


def test_no_function_of_a_package_has_the_name_of_a_module_in_it() -> None:
    """Importing the module would put it in the function's place."""
    clashes = [
        f"{path}: {node.name}"
        for path in [*HOUSE.rglob("__init__.py"), *DEMO.rglob("__init__.py")]
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and (path.with_name(f"{node.name}.py").exists() or path.with_name(node.name).is_dir())
    ]
    assert clashes == []


def test_imports_have_no_cycle() -> None:
    """Between files: what one line of the page leaves open. (What is loaded only when it is used comes later.)"""
    edges = {name: {o for node in tree.body for o in _named(node)} - {name} for name, tree in trees().items()}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"a cycle: {' -> '.join((*path, name))}"
        if name not in done:
            for other in sorted(edges.get(name, ())):
                visit(other, (*path, name))
            done.add(name)

    for name in edges:
        visit(name, ())


PUBLIC_ROOMS = ("genewright", "genewright.noise", "genewright.report")


def test_the_demo_uses_only_what_every_user_can_use() -> None:
    """gw's own names, the noise as docs/noise.md has it, and the pictures."""
    reached: list[str] = []
    for path in sorted(DEMO.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0
                names = [str(node.module)]
            else:
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                room = ".".join(name.split(".")[:2])
                allowed = room in PUBLIC_ROOMS and room in (name, "genewright.report")
                reached += [f"{path.name}: {name}"] if name.split(".")[0] == "genewright" and not allowed else []
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "gw":
                reached += [] if node.attr in (*PUBLIC, "fitness", "neurons") else [f"{path.name}: gw.{node.attr}"]
    assert reached == []


def test_only_the_command_imports_the_demo() -> None:
    for path in HOUSE.rglob("*.py"):
        if path != HOUSE / "cli" / "demo.py":
            assert "genewright_demo" not in path.read_text(), path


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
        "genewright_demo",
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
OURS: dict[str, Any] = {n: c for n, c in registered().items() if c.__module__.startswith("genewright.")}


def test_every_public_name_has_a_docstring() -> None:
    silent: list[str] = []
    for name, value in PUBLIC.items():
        if not callable(value):
            continue
        text = inspect.getdoc(value) or ""
        if len(text) <= 20 or text.startswith(f"{name}("):  # dataclass writes its signature where there is none
            silent.append(name)
        methods = vars(value) if isinstance(value, type) else {}
        silent += [
            f"{name}.{attribute}"
            for attribute, method in methods.items()
            if inspect.isfunction(method)
            and not attribute.startswith("_")
            and not inspect.getdoc(getattr(value, attribute))
        ]
    assert silent == []


def test_every_operator_is_a_name_of_gw_and_a_file_of_its_own() -> None:
    for name, cls in OURS.items():
        assert PUBLIC[cls.__name__] is cls
        assert cls.__module__.rsplit(".", 1)[-1] == name == cls.name
        assert issubclass(cls, Operator | Combinator)
        assert len(Path(inspect.getfile(cls)).read_text().splitlines()) < 200, name


def test_every_operator_says_formula_settings_errors_example_and_source() -> None:
    missing: list[str] = []
    for name, cls in OURS.items():
        text = inspect.getdoc(cls) or ""
        missing += [
            f"{name}: {section}"
            for section in ("Args:", "Raises:", "Example:", "References:")
            if f"\n{section}\n" not in text
        ]
        settings = text.partition("Args:")[2].partition("Raises:")[0]
        missing += [
            f"{name}: {setting.name}"
            for setting in dataclasses.fields(cls)
            if f"\n    {setting.name}: " not in settings
        ]
        missing += [] if first_paragraph(cls).endswith(".") else [f"{name}: a first sentence"]
    assert missing == []


def test_no_message_of_a_backend_begins_with_an_operators_name() -> None:
    """A backend answers any operator; which one asked is the operator's to say."""
    names = {cls.__name__ for cls in OURS.values()}
    begin = re.compile(rf"({'|'.join(sorted(names))})\b\s*:")
    assert begin.match("GrowKernel: 'conv' is no convolution")
    found = [
        f"{name}: {node.value}"
        for name, tree in trees().items()
        if name.startswith("genewright.backends.")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and begin.match(node.value)
    ]
    assert found == []


def test_operators_import_no_framework_and_draw_from_no_other_generator() -> None:
    allowed = {"math", "numpy", "dataclasses", "fnmatch", "functools", "itertools"}
    for name, cls in OURS.items():
        source = Path(inspect.getfile(cls)).read_text()
        imported = {a.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import) for a in node.names}
        assert imported <= allowed, name
        assert "np.random" not in source, name
