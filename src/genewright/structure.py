"""Structure: how a model computes, as one run on an example shows it."""

from __future__ import annotations

from abc import ABC


class Structure(ABC):  # noqa: B024  # its methods come with the operators that need them
    """What architecture operators ask of a model that has been run once; each part is worked out at its first use."""
