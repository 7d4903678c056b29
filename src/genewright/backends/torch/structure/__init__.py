"""How a torch module computes, as one run on an example shows it."""

from __future__ import annotations

from genewright.backends.torch.structure.torch_structure import TorchStructure as TorchStructure
