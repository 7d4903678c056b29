"""A Python file of the user's, loaded by its path: operators that no package brings, ./my_operators.py:Shrink."""

from __future__ import annotations

import importlib.util
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from genewright.errors import FileError, GenewrightError, UnknownNameError, UnsupportedError
from genewright.names import did_you_mean, snake_case
from genewright.operator import Registered, registered

Load = Annotated[
    list[Path] | None,
    typer.Option(
        "--load",
        metavar="FILE.py",
        help="A Python file with operators of your own, which recipes name. May be repeated.",
        show_default=False,
    ),
]

_NAMED = re.compile(r"(?P<file>.+\.py)(?::(?P<name>[^\W\d]\w*))?")


def is_python_file(word: str) -> bool:
    """Whether a word on the command line names a Python file, or something in one.

    >>> is_python_file("./my_operators.py:Shrink"), is_python_file("gaussian-noise")
    (True, False)
    """
    return _NAMED.fullmatch(word) is not None


def load_python_file(path: Path) -> ModuleType:
    """Run a Python file as a module, once, and return it; it finds what lies beside it, as a program does.

    Raises:
        FileError: It cannot be read.
        UnsupportedError: It fails; the message has the error and its line.
    """
    path = path.resolve()
    for known in tuple(sys.modules.values()):
        if getattr(known, "__file__", None) == str(path):
            return known
    if not path.is_file():
        raise FileError(f"{path}: there is no such file.")
    name = path.stem if path.stem not in sys.modules else f"{path.stem}_{len(sys.modules)}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, GenewrightError) or not isinstance(error, Exception):
            raise
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        place = f"{path}:{lines[-1]}" if lines else str(path)
        raise UnsupportedError(f"{place}: the file fails: {type(error).__name__}: {error}.") from error
    finally:
        sys.path.remove(str(path.parent))
    return module


def operator_of_file(word: str) -> type[Registered]:
    """Return the operator that file.py:Name names, by its class, its function or its registered name.

    Raises:
        FileError: There is no such file.
        UnknownNameError: It has no such operator; the message lists those that it has.
        UnsupportedError: The file fails.
    """
    found = _NAMED.fullmatch(word)
    assert found is not None
    module = load_python_file(Path(found["file"]))
    own = {name: cls for name, cls in registered().items() if cls.__module__ == module.__name__}
    wanted = snake_case((found["name"] or "").replace("-", "_"))
    if wanted in own:
        return own[wanted]
    if not wanted and len(own) == 1:
        return next(iter(own.values()))
    has = ", ".join(f"{found['file']}:{cls.__name__}" for cls in own.values())
    hint = f"It has {has}." if own else "It has none: derive gw.Operator, or decorate a function with @gw.operator."
    near = did_you_mean(wanted, own) if wanted and own else ""
    near = near if near.startswith("Did") else ""
    what = f"no operator {found['name']!r}" if wanted else "several operators" if own else "no operator"
    raise UnknownNameError(f"{found['file']} has {what}. {near} {hint}".replace("  ", " "))
