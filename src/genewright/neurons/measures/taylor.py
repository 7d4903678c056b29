"""First-order Taylor importance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from genewright.neurons.measures.totals import Total
from genewright.neurons.registry import Gauge, Measure, Surroundings
from genewright.observation import UnitLayer


@dataclass(frozen=True, kw_only=True)
class Taylor(Measure):
    """E_n |(1/M) sum_m a_nm dL_n/da_nm|, in the unit of the loss: its change without the unit, at first order.

    The mean over the M positions of a sample stands inside the absolute value, the expectation over samples n outside,
    as in the paper, before its scaling by the layer's norm. For heads a dL/da is summed over the head's entries.

    References:
        Molchanov, Tyree, Karras, Aila, Kautz, "Pruning Convolutional Neural Networks for Resource Efficient Inference",
        arXiv:1611.06440, equation 8. For heads: Michel, Levy, Neubig, arXiv:1905.10650, equation 2.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"gradients"})
    by_sample: ClassVar[bool] = True
    dense: ClassVar[bool] = True

    def start(self, layer: UnitLayer, around: Surroundings) -> Gauge:
        return Total(layer.units, lambda chunk: np.abs(chunk.products() / chunk.positions).sum(axis=0), a_sample=True)
