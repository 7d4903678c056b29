"""Docstrings and signatures as the reference reads them, where the code says it in another way than readers need."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

import griffe


class ExampleSection(griffe.Extension):
    """Let the reference know examples for what they are, so that it shows them as code."""

    def on_instance(self, *, obj: Any, **_: Any) -> None:
        """Rename the section in the docstring of what has been read."""
        if obj.docstring:
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)


class SettingsByPosition(griffe.Extension):
    """Show which settings a dataclass takes by position: those that are said first, whatever its decorator says."""

    def on_package(self, *, pkg: Any, **_: Any) -> None:
        """Order the settings of every dataclass as a call takes them."""
        for cls in _classes(pkg):
            if "dataclass" in cls.labels and "__init__" in cls.members:
                kind = getattr(importlib.import_module(cls.module.path), cls.name)
                taken = inspect.signature(kind).parameters
                made = cls.members["__init__"].parameters
                known = {one.name: one for one in made}
                first = [
                    known[name] for name, one in taken.items() if one.kind is not one.KEYWORD_ONLY and name in known
                ]
                for one in first:
                    one.kind = griffe.ParameterKind.positional_or_keyword
                rest = [one for one in made if one.name not in {"self", *(each.name for each in first)}]
                cls.members["__init__"].parameters = griffe.Parameters(known["self"], *first, *rest)


def _classes(room: Any) -> list[Any]:
    members = [one for one in room.members.values() if not one.is_alias]
    inner = [each for one in members if one.is_module for each in _classes(one)]
    return [*(one for one in members if one.is_class), *inner]
