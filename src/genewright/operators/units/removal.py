"""Units of several widths are removed at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from genewright.edits import Edit, Gather
from genewright.network import Network
from genewright.operators.architecture.shrink import shrunk
from genewright.widths.knob import Knob
from genewright.widths.widths import refuse_overlaps


def without_units(gone: Mapping[Knob, Sequence[int]], network: Network, *, repair: str = "none") -> Iterator[Edit]:
    """Yield the edits that take units out of widths: all that readers take over, then all gatherings.

    In this order, what is worked out at the old sizes meets tensors of the old sizes.

    Args:
        gone: The units that go, for each width.
        network: The network.
        repair: As in `shrunk`; on what the network computes as it is now, for every width alike.

    Raises:
        UnsupportedError: A width cannot shrink so, or two stand in one axis.
    """
    losing = {knob: units for knob, units in gone.items() if units}
    refuse_overlaps(list(losing))
    edits = [edit for knob, units in losing.items() for edit in shrunk(knob, units, network, repair=repair)]
    yield from (edit for edit in edits if not isinstance(edit, Gather))
    yield from (edit for edit in edits if isinstance(edit, Gather))
