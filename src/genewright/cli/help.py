"""Help texts: the example that each has, and what a docstring says of each setting."""

from __future__ import annotations

import inspect
import re

_SECTION = re.compile(r"^[A-Z][A-Za-z ]*:$")
_ENTRY = re.compile(r"^    \*{0,2}(\w+)(?: \([^)]*\))?: (.*)$")


def example(*commands: str) -> str:
    """Return the end of a help text: commands that can be pasted, in Markdown.

    >>> example("genewright operators").splitlines()
    ['Example:', '', '`genewright operators`']
    """
    title = "Example:" if len(commands) == 1 else "Examples:"
    return "\n\n".join([title, *(f"`{command}`" for command in commands)])


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
