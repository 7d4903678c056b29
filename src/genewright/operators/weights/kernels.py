"""What the operators share that act on the units of layers: the choice of kernels."""

from __future__ import annotations

from collections.abc import Sequence

from genewright.errors import SelectionError
from genewright.network import Network
from genewright.units import how_to_tell
from genewright.where import Selected, Where, describe

KERNELS = ("kernel", "recurrent_kernel")


def refuse_doubt(chosen: Sequence[Selected], operator: str) -> None:
    """Refuse kernels of a file that does not say along which axis their units lie.

    Raises:
        SelectionError: There is one.
    """
    for tensor in (selected.tensor for selected in chosen):
        if tensor.doubt:
            raise SelectionError(
                f"{operator}: {tensor.doubt}. Leave it out: where=('*', '!{tensor.name}'). {how_to_tell(tensor)}"
            )


def selected_kernels(where: Where, network: Network, operator: str) -> list[Selected]:
    """Return the chosen kernels that have units along an axis, each with more than one element.

    Raises:
        SelectionError: There is none; the message says what was found instead.
    """
    chosen = where.select(network)
    kernels = [s for s in chosen if s.tensor.role in KERNELS and s.tensor.unit_axis is not None and s.tensor.size > 1]
    refuse_doubt(chosen, operator)
    if not kernels:
        found = ", ".join(f"{s.tensor.name!r} ({s.tensor.role})" for s in chosen[:5])
        raise SelectionError(
            f"{operator} acts on kernels of layers; {describe(where)} chooses none, but {found}. "
            "Choose a kernel's name, or leave `where` out."
        )
    return kernels
