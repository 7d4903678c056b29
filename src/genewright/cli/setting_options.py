"""An operator's settings as command-line options: made from the fields of its dataclass."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

import typer

from genewright.cli.arguments import UsageError
from genewright.cli.where_options import keyword, where_from_options, where_parameters
from genewright.errors import RecipeError, SettingError, UnknownNameError
from genewright.operator import AnyOperator, Registered, make_operator
from genewright.settings import setting_to_json
from genewright.where import Where

# Options of the subcommands themselves: a setting of that name is given as --setting-NAME.
_TAKEN = {"model", "seed", "out", "weights", "example", "recipe", "force", "json", "model_arg", "save_base", "summary"}
_SECTION = re.compile(r"^[A-Z][A-Za-z ]*:$")
_ENTRY = re.compile(r"^    \*{0,2}(\w+)(?: \([^)]*\))?: (.*)$")


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting of an operator, and how it is said on the command line.

    Attributes:
        name: Its name in Python.
        kind: Its type, without None.
        default: Its default in JSON form, or `dataclasses.MISSING` where it has none.
        about: What the docstring says of it.
    """

    name: str
    kind: Any
    default: Any
    about: str

    @property
    def parameter(self) -> str:
        """The name of the option in code."""
        return f"setting_{self.name}" if self.name in _TAKEN else self.name

    @property
    def option(self) -> str:
        """The option as it is typed."""
        return "--" + self.parameter.replace("_", "-")

    @property
    def kind_in_words(self) -> str:
        """What may be typed, for help texts."""
        if get_origin(self.kind) is Literal:
            return "|".join(map(str, get_args(self.kind)))
        if self.kind in (int, float, bool, str):
            return {int: "integer", float: "number", bool: "yes or no", str: "text"}[self.kind]
        return "patterns" if self.kind is Where else "JSON or @file"

    def default_in_words(self) -> str:
        """Return the default as it would be typed."""
        if self.default is dataclasses.MISSING:
            return "none"
        if self.kind is Where:
            return "all trainable"
        return self.default if isinstance(self.default, str) else json.dumps(self.default)


def settings_of(cls: type[Registered]) -> list[Setting]:
    """Return an operator's settings: its own first, then those of its bases, `where` last."""
    docs = argument_docs(cls)
    try:
        hints: Mapping[str, Any] = typing.get_type_hints(cls)
    except NameError:  # a type that exists only for the type checker: its values are given as JSON
        hints = {}
    found: list[Setting] = []
    for field in dataclasses.fields(cast(Any, cls)):
        default: Any = dataclasses.MISSING
        if field.default is not dataclasses.MISSING:
            default = setting_to_json(field.default)
        elif field.default_factory is not dataclasses.MISSING:
            default = setting_to_json(field.default_factory())
        about = docs.get(field.name, "")
        found.append(Setting(field.name, _without_none(hints.get(field.name, Any)), default, about))
    own = list(dict.fromkeys(name for base in cls.__mro__ for name in vars(base).get("__annotations__", {})))
    return sorted(found, key=lambda setting: (setting.kind is Where, own.index(setting.name)))


def parameters(cls: type[Registered]) -> list[inspect.Parameter]:
    """Return the options of an operator, as the parameters of a typer command; what is not given is None."""
    made: list[inspect.Parameter] = []
    for setting in settings_of(cls):
        if setting.kind is Where:
            made += where_parameters()
            continue
        kind = setting.kind if setting.kind in (int, float, bool) else str
        option = typer.Option(
            *([setting.option, f"--no-{setting.option[2:]}"] if kind is bool else [setting.option]),
            help=f"{setting.about} Default: {setting.default_in_words()}.".strip(),
            show_default=False,
            metavar=None if kind is bool else f"[{setting.kind_in_words}]" if "|" in setting.kind_in_words else None,
        )
        made.append(keyword(setting.parameter, Annotated[kind | None, option], None))
    return made


def operator_from_options(cls: type[Registered], given: Mapping[str, Any]) -> AnyOperator:
    """Make the operator from the options that were typed.

    Raises:
        UsageError: A value is out of range, or cannot be read.
    """
    chosen: dict[str, Any] = {}
    try:
        for setting in settings_of(cls):
            if setting.kind is Where:
                chosen[setting.name] = where_from_options(given).to_json()
            elif (value := given[setting.parameter]) is not None:
                chosen[setting.name] = value if setting.kind in (int, float, bool) else _decoded(setting, str(value))
        return make_operator(cls.name, chosen)
    except (SettingError, UnknownNameError, RecipeError) as error:
        raise UsageError(str(error)) from error


def _decoded(setting: Setting, text: str) -> Any:
    """Read a value that is no plain number: text as it is, else JSON, else words between commas."""
    if setting.kind is str or get_origin(setting.kind) is Literal:
        return text
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text()
        except (OSError, ValueError) as error:
            raise UsageError(f"{setting.option} {text}: the file cannot be read ({error}).") from error
    try:
        return json.loads(text)
    except ValueError as error:
        if text.lstrip()[:1] in ("[", "{"):
            raise UsageError(f"{setting.option}: this is not JSON ({error}): {text}") from error
    return [_word(word.strip()) for word in text.split(",")] if "," in text or _is_tuple(setting.kind) else text


def _word(word: str) -> Any:
    try:
        return json.loads(word)
    except ValueError:
        return word


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        rest = [kind for kind in get_args(hint) if kind is not type(None)]
        return rest[0] if len(rest) == 1 else Any
    return hint


def _is_tuple(kind: Any) -> bool:
    return kind is tuple or get_origin(kind) is tuple


def argument_docs(cls: type) -> dict[str, str]:
    """Return what the class's docstrings say of each setting, those of its bases included, each on one line."""
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base.__module__ != "builtins" and base.__doc__:
            docs.update(_arguments(inspect.cleandoc(base.__doc__)))
    return docs


def description(cls: type) -> str:
    """Return what the class's docstring says before its first section."""
    lines: list[str] = []
    for line in inspect.cleandoc(cls.__doc__ or "").splitlines():
        if _SECTION.match(line):
            break
        lines.append(line)
    return "\n".join(lines).strip()


def _arguments(docstring: str) -> dict[str, str]:
    docs: dict[str, str] = {}
    inside, name = False, ""
    for line in docstring.splitlines():
        if _SECTION.match(line):
            inside = line in ("Args:", "Attributes:")
        elif inside and (entry := _ENTRY.match(line)):
            name = entry[1]
            docs[name] = entry[2]
        elif inside and name and line.startswith("     "):
            docs[name] += " " + line.strip()
    return docs
