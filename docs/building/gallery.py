"""The operator gallery: a page for each registered operator, read off its docstring, with a picture of its example."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Any

from genewright.operator import registered

ROOMS = {
    "weights": "Weights",
    "units": "Units",
    "architecture": "Architecture",
    "sharing": "Two networks, two layers",
    "combinators": "Combinators",
}
"""The packages of operators, in the order of the gallery, by what they change."""

_FORMULA = re.compile(r"[A-Za-z][\w']*(\[[^\]]*\])?(\([^)]*\))? = ")
_SECTION = re.compile(r"\n(?=[A-Z]\w+:\n)")


class IncompleteError(Exception):
    """An operator's docstring lacks what its page shows."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What the gallery shows of an operator.

    Attributes:
        cls: The operator.
        summary: The docstring's first paragraph.
        formula: What becomes of the weights, as the docstring writes it.
        paper: The source, as the docstring names it.
        example: The docstring's example; its picture is drawn of what it does.
    """

    cls: Any
    summary: str
    formula: str
    paper: str
    example: str

    @property
    def room(self) -> str:
        """The package that it lives in: "weights", "units", ..."""
        return self.cls.__module__.split(".")[2]

    @property
    def page(self) -> str:
        """Return its page, below the gallery's folder."""
        return f"{self.cls.name}.md"

    @property
    def picture(self) -> str:
        """Return its picture, below the gallery's folder."""
        return f"{self.cls.name}.svg"


def entry(cls: Any) -> Entry:
    """Read off an operator's docstring what the gallery shows of it.

    Raises:
        IncompleteError: The docstring has no formula, no source, or no example that mutates.
    """
    description, *parts = _SECTION.split(inspect.getdoc(cls) or "")
    sections = {title: inspect.cleandoc(body) for title, body in (part.split(":\n", 1) for part in parts)}
    paragraphs = description.strip().split("\n\n")
    summary, _, behind = paragraphs[0].partition(": ")
    formula = next((one for one in [*paragraphs, behind] if _FORMULA.match(one)), "")
    paper, example = sections.get("References", ""), sections.get("Example", "")
    missing = {
        'a formula (a paragraph behind the first line that begins as in "w\' = w + ...")': formula,
        "a source (References:)": paper,
        "an example that calls gw.mutate": "gw.mutate(" in example,
    }
    lacking = [what for what, found in missing.items() if not found]
    if lacking:
        raise IncompleteError(f"{cls.__module__}.{cls.__name__}: the docstring lacks {' and '.join(lacking)}.")
    return Entry(
        cls=cls,
        summary=" ".join((summary if formula == behind else paragraphs[0]).split()),
        formula=" ".join(re.split(r"(?<=[^.][.;:])\s", formula, maxsplit=1)[0].rstrip(".;:").split()),
        paper=" ".join(paper.split()),
        example=example,
    )


def entries() -> list[Entry]:
    """Return what the gallery shows: every operator of this package, room by room.

    Raises:
        IncompleteError: A docstring lacks something.
    """
    ours = [entry(cls) for cls in registered().values() if cls.__module__.startswith("genewright.")]
    rooms = list(ROOMS)
    return sorted(ours, key=lambda one: (rooms.index(one.room), one.cls.name))


def page(one: Entry) -> str:
    """Return the page of an operator."""
    command = one.cls.name.replace("_", "-")
    return f"""# {one.cls.__name__}

<p class="formula">{_escaped(one.formula)}</p>

![The networks before and after in the example below]({one.picture})

*What the example below does.* On the command line: `genewright mutate {command}`.

::: {one.cls.__module__}.{one.cls.__qualname__}
    options:
      show_root_heading: true
      heading: gw.{one.cls.__name__}
      heading_level: 2
      members: false
"""


def index(shown: list[Entry]) -> str:
    """Return the gallery."""
    lines = [
        "# Operators",
        "",
        "Every operator with its formula, its source, and what its example does to a network. Green is new, red is "
        "gone, orange has changed, dots mark the elements that did. `genewright operators` prints the same list.",
    ]
    for room, title in ROOMS.items():
        lines += ["", f"## {title}", ""]
        for one in (one for one in shown if one.room == room):
            lines += [
                '<div class="operator" markdown>',
                "",
                f"### [{one.cls.__name__}]({one.page})",
                "",
                one.summary,
                "",
                f'<p class="formula">{_escaped(one.formula)}</p>',
                "",
                f"[![{one.cls.__name__}: before and after]({one.picture})]({one.page})",
                "",
                f'<p class="paper">{_escaped(one.paper)}</p>',
                "",
                "</div>",
                "",
            ]
    return "\n".join(lines)


def _escaped(text: str) -> str:
    for plain, entity in {"&": "&amp;", "<": "&lt;", ">": "&gt;", "*": "&#42;", "_": "&#95;", "`": ""}.items():
        text = text.replace(plain, entity)
    return text
