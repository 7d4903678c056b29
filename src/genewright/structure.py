"""Structure: how a model computes, as one run on an example shows it."""

from __future__ import annotations

from abc import ABC, abstractmethod

from genewright.widths.widths import Widths


class Structure(ABC):
    """What architecture operators ask of a model that has been run once; each part is worked out at its first use."""

    @property
    @abstractmethod
    def widths(self) -> Widths:
        """The widths that stand in its tensors, and what changes with each."""
