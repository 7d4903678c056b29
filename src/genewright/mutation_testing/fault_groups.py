"""groups_of_faults: in which group each fault is, and how many faults each group can have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genewright.mutation_testing.fault_population import FaultTensor, Group, grouped
from genewright.mutation_testing.fault_record import Faults
from genewright.mutation_testing.fault_units import grouped_by_unit


def groups_of_faults(
    tensors: Sequence[FaultTensor], faults: Faults, what: Group, who: str
) -> tuple[NDArray[np.int64], dict[str, int]]:
    """Return the number of each fault's group, and the population of each group by its name.

    Args:
        tensors: The population.
        faults: Those that were injected.
        what: The kind of groups.
        who: The operator, for the message.

    Raises:
        SettingError: It does not act on bits, and groups of bits are asked for.
    """
    if what == "unit":
        told = [(one.name, one.units, one.elements, max(1, len(one.bits))) for one in tensors]
        return grouped_by_unit(told, faults.tensor, faults.element)
    of, sizes = grouped(tensors, what, who)
    numbers = {label: number for number, label in enumerate(sizes)}
    pairs = zip(faults.tensor.tolist(), faults.way.tolist(), strict=True)
    return np.array([numbers[of[pair]] for pair in pairs], np.int64), sizes
