"""Values of the same names in a donor: what `SetWeights` and `Rewind` write."""

from __future__ import annotations

from collections.abc import Iterator

from genewright.edits import Copy
from genewright.errors import UnknownNameError, UnsupportedError
from genewright.network import Network
from genewright.operators.sharing.forms import counterpart
from genewright.where import Where


def stored_values(who: str, where: Where, network: Network, donor: Network, *, keep_zeros: bool) -> Iterator[Copy]:
    """Yield, for each chosen tensor, the copy of the donor's tensor of that name.

    Args:
        who: The operator, for messages.
        where: Which tensors and units.
        network: The network that changes.
        donor: The first donor.
        keep_zeros: Elements that are zero stay so.

    Raises:
        SelectionError: Nothing is chosen.
        UnknownNameError: The donor has no tensor of that name.
        UnsupportedError: It has another shape there.
    """
    for selected in where.select(network):
        tensor, part = selected.tensor, selected.part
        source = counterpart(tensor, donor)
        if source is None:
            has = list(donor.tensors)
            few = ", ".join(map(repr, has[:4])) + (", ..." if len(has) > 4 else "")
            raise UnknownNameError(
                f"{who}: the donor has no tensor {tensor.name!r}; it has {few}. gw.Transfer takes weights of other "
                "names; where= says which tensors are written."
            )
        if source.shape != tensor.shape:
            raise UnsupportedError(
                f"{who}: {tensor.name!r} has shape {tensor.shape}, and {source.shape} in the donor. gw.Transfer "
                "takes what two shapes have in common; where= leaves a tensor out."
            )
        yield Copy(tensor=tensor.name, source=source.name, part=part, source_part=part, of=1, keep_zeros=keep_zeros)
