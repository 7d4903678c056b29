"""What makes a model, as it is named on the command line: a function of a module or of a file, or a library's model."""

from __future__ import annotations

import functools
import importlib
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import reduce
from pathlib import Path
from typing import Any, cast

from genewright.cli.python_file import load_python_file
from genewright.errors import GenewrightError, UnknownNameError, UnsupportedError
from genewright.folders import load_folder
from genewright.names import did_you_mean
from genewright.start_up_lines import held_back
from genewright.storage import found_at

WAYS = "package.module:factory, file.py:factory, hf:FOLDER, timm:NAME or torchvision:NAME"

_FACTORY = re.compile(r"[^\W\d][\w.]*:[^\W\d][\w.]*")
_IN_FILE = re.compile(r"(.+\.py):([^\W\d][\w.]*)", re.DOTALL)
_LIBRARY = re.compile(r"(hf|timm|torchvision):(.+)", re.DOTALL)


def is_factory(text: str) -> bool:
    """Whether a command-line word names what makes a model, not a file of weights.

    >>> is_factory("my.models:Net"), is_factory("net.pt"), is_factory("C:/net.pt"), is_factory("nets/my.py:Net")
    (True, False, False, True)
    """
    named = any(way.fullmatch(text) for way in (_FACTORY, _IN_FILE, _LIBRARY))
    return named and not _is_there(text)


def brings_weights(text: str) -> bool:
    """Whether what a word names comes with the weights of a file, as a folder of Hugging Face does."""
    return text.startswith("hf:")


def comes_as_folder(text: str) -> bool:
    """Whether what a word names can be written as a folder of its library, too."""
    return found_at(text) == "folder" or text.startswith(("hf:", "timm:"))


def _is_there(text: str) -> bool:
    return bool(found_at(text))


def factory(text: str, arguments: Mapping[str, Any] | None = None) -> Callable[[], Any]:
    """Return what makes a model; its own errors are said in ours.

    Args:
        text: package.module:factory, file.py:factory, hf:FOLDER, timm:NAME or torchvision:NAME.
        arguments: Keyword arguments that it is called with.

    Raises:
        UnknownNameError: There is no such module or factory.
        UnsupportedError: Importing or calling it fails; the message has the first line of its error and its place.
    """
    library = _LIBRARY.fullmatch(text)
    made = imported(text) if library is None else _of_library(library[1], library[2])
    given = dict(arguments or {})

    def call() -> Any:
        try:
            return made(**given)
        except GenewrightError:
            raise
        except Exception as error:  # whatever the user's factory raises
            how = f"with {', '.join(given)}" if given else "without arguments"
            hint = "" if given else _wants_arguments(error)
            raise UnsupportedError(f"{text}: calling it {how} fails: {_first_line(error)}.{hint}") from error

    return call


def imported(text: str) -> Callable[..., Any]:
    """Import a function or class: file.py:name, or package.module:name, from the current folder too, as ``python -m``.

    Raises:
        FileError: There is no such file.
        UnknownNameError: There is no such module or name.
        UnsupportedError: Importing it fails, or it cannot be called.
    """
    in_file = _IN_FILE.fullmatch(text)
    if in_file is None and not _FACTORY.fullmatch(text):
        raise UnknownNameError(f"{text!r} is not of the form {WAYS}.")
    module_name, _, path = text.rpartition(":")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        with held_back():
            module = importlib.import_module(module_name) if in_file is None else load_python_file(Path(in_file[1]))
    except ModuleNotFoundError as error:
        if in_file is None and error.name and f"{module_name}.".startswith(f"{error.name}."):
            raise UnknownNameError(
                f"{text}: no module is called {error.name!r}, neither installed nor in {Path.cwd()}."
            ) from error
        raise UnsupportedError(f"{text}: importing {module_name} fails: {error}.") from error
    except GenewrightError:
        raise
    except Exception as error:  # whatever the user's module raises
        raise UnsupportedError(f"{text}: importing {module_name} fails: {_first_line(error)}.") from error
    try:
        made: Any = reduce(getattr, path.split("."), cast(Any, module))
    except AttributeError:
        near = did_you_mean(path, [name for name in vars(module) if not name.startswith("_")])
        raise UnknownNameError(f"{text}: {module_name} has no {path!r}. {near}") from None
    if not callable(made):
        raise UnsupportedError(f"{text}: is a {type(made).__name__}, not a class or function to be called.")
    return made


def _of_library(library: str, name: str) -> Callable[..., Any]:
    """Return what makes a library's model of this name, without any download unless an argument asks for one."""
    if library == "hf" and not Path(name, "config.json").is_file():
        raise UnknownNameError(f"hf:{name}: there is no {Path(name, 'config.json')}; save_pretrained writes one.")
    if library == "hf":
        return functools.partial(_from_folder, name)
    module = library
    try:
        with held_back():
            found: Any = importlib.import_module(module)
    except ImportError as error:
        raise UnsupportedError(f"{library}:{name} needs {module}: pip install {module} ({error}).") from error
    except Exception as error:
        raise UnsupportedError(f"{library}:{name}: importing {module} fails: {_first_line(error)}.") from error
    if library == "timm":
        if name not in (names := found.list_models()) and not found.is_model(name):
            raise UnknownNameError(f"timm has no model {name!r}. {did_you_mean(name, names)}")
        return functools.partial(found.create_model, name)
    models: Any = importlib.import_module("torchvision.models")
    if name not in (names := models.list_models()):
        raise UnknownNameError(f"torchvision has no model {name!r}. {did_you_mean(name, names)}")
    return functools.partial(models.get_model, name)


def _from_folder(folder: str, **given: Any) -> Any:
    if not given:
        return load_folder(Path(folder))  # with the layers and the recipe of a mutant
    transformers: Any = importlib.import_module("transformers")
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    named = [getattr(transformers, name, None) for name in config.architectures or ()]
    cls = next((one for one in named if one is not None), transformers.AutoModel)
    return cls.from_pretrained(folder, local_files_only=True, **given)


def _wants_arguments(error: Exception) -> str:
    missing = isinstance(error, TypeError) and "required" in str(error)
    return " Give them as --model-arg NAME=VALUE." if missing else ""


def _first_line(error: Exception) -> str:
    """Return an error's first line and the last place of the user's own in it."""
    lines = str(error).strip().splitlines() or [""]
    said = f"{type(error).__name__}: {lines[0]}".rstrip(": .")
    if isinstance(error, SyntaxError):
        return said  # it says the place itself
    ours = str(Path(__file__).parents[1])
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((ours, "<")) and "importlib" not in frame.filename
    ]
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno}; all of it: --traceback)" if frames else ""
    return said + place
