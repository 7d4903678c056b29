"""How a torch module computes, as one run on an example shows it."""

from __future__ import annotations

from genewright.backends.torch.structure.recorded import TorchStructure as TorchStructure
