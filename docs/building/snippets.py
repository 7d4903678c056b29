"""Code blocks of a page, run in order; and the outputs shown below them, made anew or compared.

A block of ```text directly behind one of ```python is what the Python prints. In a block of ```console, lines behind a
command that are no command are what it prints; where all lines are commands, nothing is shown.

    python -m docs.building.snippets README.md          # runs the page, and writes the outputs that it shows
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
_NUMBER = re.compile(r"(?<![\w.:])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w:])")
_WIDTH = "100"  # columns of what commands print


class Block(NamedTuple):
    """A code block.

    Attributes:
        language: "python" or "console".
        code: Its lines.
        shown: What the page says that it prints; None where the page says nothing.
        place: Where the block and its output stand in the page's text.
    """

    language: str
    code: str
    shown: str | None
    place: slice


def blocks(text: str) -> list[Block]:
    """Return the code blocks of a page."""
    return [
        Block(language, code, shown if language == "python" else _dialogue(code), slice(*found.span()))
        for found in _BLOCK.finditer(text)
        for language, code, shown in [found.groups()]
    ]


def _dialogue(code: str) -> str | None:
    """Return commands with what they print; None where there are only commands."""
    lines = code.splitlines()
    return code if lines[0].startswith("$ ") and any(not line.startswith("$ ") for line in lines) else None


def run(text: str, page: str) -> Iterator[tuple[Block, str]]:
    """Run the blocks of a page, in one namespace and in the current folder; yield each with what it prints.

    Raises:
        AssertionError: A command fails.
    """
    module = types.ModuleType("snippet")
    sys.modules["snippet"] = module
    for block in blocks(text):
        printed = io.StringIO()
        if block.language == "python":
            with contextlib.redirect_stdout(printed):
                exec(compile(block.code, page, "exec"), vars(module))
            yield block, printed.getvalue()
        else:
            yield block, "".join(_console(block.code))


def _console(code: str) -> Iterator[str]:
    shows = _dialogue(code) is not None
    for line in code.splitlines():
        if line.startswith("$ "):
            if shows:
                yield f"{line}\n"
            if line.startswith("$ genewright "):
                command = [sys.executable, "-m", "genewright", *shlex.split(line)[2:]]
                plain = os.environ | {"COLUMNS": _WIDTH, "NO_COLOR": "1"}
                done = subprocess.run(command, capture_output=True, text=True, check=False, env=plain)
                assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
                if shows:
                    yield done.stdout


def agree(shown: str, printed: str) -> bool:
    """Whether two outputs say the same: the same words, and numbers that differ by no more than machines do."""
    sides = [[line.rstrip() for line in text.splitlines()] for text in (shown, printed)]
    words = [_NUMBER.sub("#", "\n".join(lines)).split() for lines in sides]
    numbers = [[float(one) for one in _NUMBER.findall("\n".join(lines))] for lines in sides]
    return words[0] == words[1] and all(
        abs(a - b) <= 1e-5 + 0.02 * max(abs(a), abs(b)) for a, b in zip(*numbers, strict=True)
    )


def with_outputs(text: str, page: str) -> str:
    """Run a page, and return it with what its blocks print, where it shows that."""
    parts, end = [], 0
    for block, printed in run(text, page):
        if block.shown is None:
            continue
        parts.append(text[end : block.place.start])
        lines = "".join(f"{line.rstrip()}\n" for line in printed.splitlines())
        parts.append(f"```python\n{block.code}```\n\n```text\n" if block.language == "python" else "```console\n")
        parts.append(f"{lines}```")
        end = block.place.stop
    return "".join([*parts, text[end:]])


def main() -> None:
    """Write the outputs of the pages that are named."""
    for name in sys.argv[1:]:
        path = Path(name).resolve()
        text = path.read_text()
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            path.write_text(with_outputs(text, name))


if __name__ == "__main__":
    main()
