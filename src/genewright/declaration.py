"""What a model's own description of itself has to say after its form has changed."""

from __future__ import annotations

from dataclasses import dataclass

from genewright.edits import SetAttribute


@dataclass(frozen=True)
class Declaration:
    """How a model that describes itself, as transformers' models do in a config, is told what it has become.

    Attributes:
        edits: Entries of the description, and attributes that follow them.
        note: Why it cannot say so, and what to do instead; "" where it can or where there is no description.
    """

    edits: tuple[SetAttribute, ...] = ()
    note: str = ""
