"""What is learned of a torch module by running it on an example; each part is worked out once, at its first use."""

from __future__ import annotations

import functools
from typing import Any

from torch import nn

from genewright.backends.torch.structure.widths import TorchWidths
from genewright.structure import Structure


class TorchStructure(Structure):
    """A torch module and an example input for it.

    Attributes:
        model: The module (the one inside, where it is compiled).
        example: A tensor or array, a tuple of positional or a dict of keyword arguments.
    """

    def __init__(self, model: nn.Module, example: Any) -> None:
        self.model = model
        self.example = example

    @functools.cached_property
    def widths(self) -> TorchWidths:
        return TorchWidths(self.model, self.example)
