"""Faults of memory, one bit or one number at a time."""

from __future__ import annotations

from genewright.mutation_testing.mutants import Mutants
from genewright.operators.weights.bit_flip import BitFlip
from genewright.operators.weights.reset import Reset
from genewright.operators.weights.stuck_at import StuckAt
from genewright.operators.weights.zero import Zero

FAULTS = Mutants(
    (
        BitFlip(count=1),
        StuckAt(value=0, count=1),
        StuckAt(value=1, count=1),
        Zero(count=1),
        Reset(init="uniform", bound=1.0, count=1),
    ),
    sites="all",
    outputs=True,
)
"""One fault a mutant, anywhere in the parameters: a bit flipped, a bit stuck at 0 or 1, a weight zero or in [-1, 1].

The fault models of Mahmoud et al., "PyTorchFI: A Runtime Perturbation Tool for DNNs", DSN-W 2020, and of Gavarini,
Ruospo and Sanchez, "SCI-FI: a Smart, aCcurate and unIntrusive Fault-Injector for Deep Neural Networks", ETS 2023. Where
we deviate:

- A bit is one of the stored number, of whatever dtype; PyTorchFI's is one of an int8 after scaling.
- Faults in parameters alone, not in activations.
- Bits of buffers are left out, unless `where` names them.

For a rate of faults with a stated margin, `gw.fault_rate` draws places without replacement.
"""
