"""Docstrings as the reference reads them: "Example:" is the section that it calls "Examples:"."""

from __future__ import annotations

import re
from typing import Any

import griffe


class ExampleSection(griffe.Extension):
    """Let the reference know examples for what they are, so that it shows them as code."""

    def on_instance(self, *, obj: Any, **_: Any) -> None:
        """Rename the section in the docstring of what has been read."""
        if obj.docstring:
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
