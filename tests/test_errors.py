"""One tree: what the library raises on purpose is a GenewrightError, and the tree that is drawn is the one there is."""

from __future__ import annotations

import ast
import builtins
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from genewright import errors

HOUSE = Path(__file__).parents[1] / "src" / "genewright"
FILES = sorted(HOUSE.rglob("*.py"))
NOT_OURS = {
    ("__init__.py", "AttributeError"): "module __getattr__: Python asks for it",
    ("__main__.py", "SystemExit"): "the exit code",
    ("cli/compare.py", "typer.Exit"): "the exit code",
    ("cli/diff.py", "typer.Exit"): "the exit code",
    ("backends/files/hdf5.py", "ValueError"): "the reader of the same file catches it, and adds the file's name",
    ("backends/files/archive.py", "ValueError"): "likewise",
    ("backends/files/bounds.py", "ValueError"): "likewise",
    ("backends/files/pickle_scan.py", "IndexError"): "likewise",
    ("backends/files/pickle_scan.py", "ValueError"): "likewise",
    ("backends/files/pickle_scan.py", "TypeError"): "likewise",
    ("backends/files/pickled.py", "_CodeError"): "caught in the same file, which names the file",
    ("backends/files/safetensors.py", "ValueError"): "likewise",
    ("populations/torch/drawing.py", "_AskedError"): "caught in the same file",
    ("backends/files/safetensors.py", "OSError"): "storage.write_atomically catches it, and adds the file's name",
    ("backends/files/pickled.py", "OSError"): "likewise",
    ("backends/torch/structure/rules/contraction.py", "ValueError"): "reading catches it, and pins with these words",
    ("backends/torch/structure/rules/normalisation.py", "ValueError"): "likewise",
    ("backends/torch/structure/rules/reduction.py", "TypeError"): "likewise",
    ("backends/torch/structure/rules/views.py", "ValueError"): "likewise",
    ("backends/torch/structure/trace_devices.py", "TypeError"): "traceable_copy raises it again as an UnsupportedError",
    ("backends/torch/structure/zero_init.py", "_Enough"): "ends a run whose rest is of no use",
    ("backends/torch/structure/structural_key.py", "_NoKeyError"): "caught in the same file: the form is not kept",
    ("conformance/invariants.py", "_Stop"): "ends a `with` block",
    ("packed.py", "ValueError"): "caught in the same function: a setting is refused",
    ("edits/json_form.py", "ValueError"): "caught in the same function: the array is damaged",
    ("journal.py", "raised"): "what interrupted an undo, raised when it is over",
    ("operators/combinators/one_of.py", "first"): "the first refusal, raised when all refuse",
    ("widths/reasons.py", "RuntimeError"): "a fault of the library itself: a cause without its detail",
    ("machine_code/crew.py", "self._errors[0]"): "what a thread raised, raised again",
    ("machine_code/crew.py", "interrupt"): "what interrupted a wait, raised when it is over",
    ("noise/compiled/kernels/combine.py", "NotImplementedError"): "the signature of a Numba overload, never called",
    ("noise/compiled/kernels/steps.py", "NotImplementedError"): "likewise",
    ("noise/compiled/kernels/weighted.py", "NotImplementedError"): "likewise",
    ("backends/torch/reruns/plan.py", "Lost"): "reruns/rerun.py catches it, and runs the whole model",
    ("backends/torch/reruns/plan.py", "Same"): "caught in the same file: ends a run whose rest is known",
    ("backends/torch/reruns/rerun.py", "Lost"): "caught in the same file",
    ("fitness/acting.py", "NotAlike"): "fitness/gymnasium.py catches it, and judges one individual after the other",
    ("cli/app.py", "typer.Exit"): "the exit code",
    (
        "populations/torch/recurrent.py",
        "NotImplementedError",
    ): "what torch itself raises there: the individuals run alone",
    ("evolution/stores/tables.py", "ValueError"): "database.py catches it: the store is damaged",
    ("evolution/stores/database.py", "ValueError"): "likewise, in the same file",
}
"""(file, class) -> why it stands outside the tree."""


@functools.cache
def trees() -> dict[str, ast.Module]:
    """Return what every file says, parsed when it is asked for: not by a worker that runs none of these tests."""
    return {str(path.relative_to(HOUSE)): ast.parse(path.read_text()) for path in FILES}


@functools.cache
def bases() -> dict[str, set[str]]:
    """Return the bases of every class of the library, by name."""
    found: dict[str, set[str]] = {}
    for tree in trees().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, set()).update(ast.unparse(base).split(".")[-1] for base in node.bases)
    return found


@functools.cache
def makers() -> dict[str, set[str]]:
    """Return what the functions of a name say that they return."""
    found: dict[str, set[str]] = {}
    for tree in trees().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                found.setdefault(node.name, set()).add(ast.unparse(node.returns) if node.returns else "")
    return found


def is_ours(name: str) -> bool:
    return name == "GenewrightError" or any(is_ours(base) for base in bases().get(name, ()))


def raised(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield each class, or function that makes an error, that a file raises; not what it caught and raises again."""
    caught = {node.name for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            made = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if not (isinstance(made, ast.Name) and made.id in caught):
                yield node.lineno, ast.unparse(made)


def strangers(file: str, tree: ast.Module) -> Iterator[str]:
    """Yield what a file raises outside the tree, each with its place."""
    for line, name in raised(tree):
        if (file, name) in NOT_OURS:
            continue
        function = name.rsplit(".", 1)[-1]  # self.refused, script.refuse
        if function in makers():
            kinds = {kind for kind in makers()[function] if kind.endswith("Error")}
            if not kinds:
                yield f"{file}:{line}: {name}() is not annotated with what it returns"
            elif not all(map(is_ours, kinds)):
                yield f"{file}:{line}: {name}() returns {kinds}"
        elif not is_ours(name):
            yield f"{file}:{line}: {name} is no GenewrightError"


def test_what_is_raised_is_of_the_tree() -> None:
    assert [one for file, tree in trees().items() for one in strangers(file, tree)] == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise ValueError('no')", "ValueError is no GenewrightError"),
        ("raise made_up()", "made_up is no GenewrightError"),
        ("raise fingerprint(1)", "fingerprint() is not annotated with what it returns"),
    ],
)
def test_what_is_raised_outside_the_tree_is_named_with_its_place(code: str, words: str) -> None:
    assert list(strangers("new.py", ast.parse(f"def f():\n    {code}"))) == [f"new.py:2: {words}"]


def test_every_exception_to_it_is_still_there() -> None:
    seen = {(file, name) for file, tree in trees().items() for _, name in raised(tree)}
    assert set(NOT_OURS) <= seen


def test_the_tree_is_drawn_as_it_is() -> None:
    text = errors.__doc__ or ""
    drawn: dict[str, set[str]] = {"GenewrightError": {"Exception"}}
    path = ["GenewrightError"]
    for marks, name, builtin in re.findall(r"^    ([│ ]*[├└]── )(\w+)(?: \((\w+)\))?", text, re.MULTILINE):
        del path[len(marks) // 4 :]
        drawn[name] = {path[-1], builtin} - {""}
        path.append(name)
    assert drawn == {name: parents for name, parents in bases().items() if is_ours(name)}
    for parents in drawn.values():
        assert all(parent in drawn or issubclass(getattr(builtins, parent), Exception) for parent in parents)
