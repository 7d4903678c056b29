"""Changing the layers, wiring and attributes of a module that somebody else wrote; each change returns its undo."""

from __future__ import annotations

from genewright.backends.torch.restructure import attribute, buffer, insert, remove, replace, rewire
from genewright.backends.torch.restructure.dispatch import restructure

RULES = (attribute, buffer, insert, remove, replace, rewire)  # importing them registers them

__all__ = ["RULES", "restructure"]
