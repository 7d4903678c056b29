"""The API reference: every public name of `genewright`, on the page of the room that it lives in."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import genewright

PAGES = {
    "mutating": (
        "Mutate, plan, replay, undo",
        (*("mutate", "plan", "recipe", "where", "operator", "keep_zeros", "cost", "costing", "knobs"),),
    ),
    "comparing": ("Compare and calibrate", ("compare", "metrics", "strengths")),
    "files": ("Files", ("files", "backends")),
    "neurons": ("Neurons", ("neurons", "observation", "layer")),
    "evolution": ("Evolution", ("evolution", "fitness")),
    "populations": ("Populations", ("populations",)),
    "mutation-testing": ("Mutation testing", ("mutation_testing",)),
    "authors": ("For authors of operators", ("authoring", "conformance", "testing")),
    "errors": ("Errors", ("errors",)),
    "more": ("More", ()),
}
"""Pages by file name: a title, and the rooms of `genewright` whose public names stand on it. "more" takes the rest."""


class Name(NamedTuple):
    """A public name, and where it is defined: "gw.mutate" is genewright.mutate.mutate."""

    public: str
    path: str


def public_names() -> list[Name]:
    """Return what `genewright` and its rooms export, operators included, each once and under its shortest name."""
    rooms = {
        "": genewright,
        **{f"{name}.": getattr(genewright, name) for name in ("fitness", "neurons", "authoring", "testing")},
    }
    found: dict[str, Name] = {}
    for before, room in rooms.items():
        for name in exported(before, room):
            found.setdefault(name.path, name)
    return list(found.values())


def exported(before: str, room: ModuleType) -> Iterator[Name]:
    """Yield what a module exports: by ``X as X``, or in its ``__all__``."""
    listed = set(getattr(room, "__all__", ())) if room is not genewright else set()
    for node in ast.parse(Path(inspect.getfile(room)).read_text()).body:
        for alias in node.names if isinstance(node, ast.ImportFrom) else ():
            if alias.asname == alias.name or alias.name in listed:
                yield Name(before + alias.name, _defined(room, f"{node.module}.{alias.name}"))


def _defined(room: ModuleType, path: str) -> str:
    """Return where a name is defined, which a room may only pass on."""
    value = getattr(room, path.rpartition(".")[2])
    if inspect.isclass(value) or inspect.isfunction(value):
        return f"{value.__module__}.{value.__qualname__}"
    return path


def pages() -> dict[str, list[Name]]:
    """Return the public names by page; operators are in the gallery, and on no page here."""
    filled: dict[str, list[Name]] = {page: [] for page in PAGES}
    for name in public_names():
        room = name.path.split(".")[1]
        if inspect.ismodule(getattr(genewright, name.public.split(".")[0])) and "." not in name.public:
            continue  # a room whose own names follow
        if room != "operators" or name.public.startswith("authoring."):
            page_of = next((page for page, (_, rooms) in PAGES.items() if room in rooms), "more")
            filled["authors" if name.public.startswith("authoring.") else page_of].append(name)
    return {page: sorted(names) for page, names in filled.items() if names}


def page(title: str, names: list[Name]) -> str:
    """Return a page of the reference."""
    blocks = (
        f"::: {name.path}\n    options:\n      heading: gw.{name.public}\n      toc_label: {name.public}\n"
        for name in names
    )
    return "\n".join([f"# {title}\n", *blocks])


def index(filled: dict[str, list[Name]]) -> str:
    """Return the list of all public names."""
    lines = [
        "# API reference",
        "",
        "What `import genewright as gw` gives, with arguments, units, shapes, errors and an example each. "
        "Operators have a page each in the [gallery](../operators/index.md).",
    ]
    for file, names in filled.items():
        listed = ", ".join(f"[`gw.{name.public}`][{name.path}]" for name in names)
        lines += ["", f"## [{PAGES[file][0]}]({file}.md)", "", listed]
    return "\n".join(lines) + "\n"
