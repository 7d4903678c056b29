"""Take units out of a width, with what keeps the outputs where something can."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from genewright.edits import Edit
from genewright.index import Index
from genewright.network import Network
from genewright.operators.architecture.compensate import absorb_by_least_squares, constant_units, fold_constants
from genewright.operators.architecture.gather_units import gather
from genewright.operators.architecture.merge_duplicates import exact_duplicates, merge_duplicates
from genewright.widths.knob import Knob


def shrunk(knob: Knob, gone: Sequence[int], network: Network, *, repair: str = "none") -> Iterator[Edit]:
    """Yield the edits that take units out of a width: first what readers take over, last the gathering.

    Args:
        knob: The width.
        gone: The units that go, ascending; some stay.
        network: The network.
        repair: "least_squares": readers are refitted on the example for units that are neither copies nor constant.

    Raises:
        UnsupportedError: The width cannot have that many units.
    """
    kept = [unit for unit in range(knob.size) if unit not in set(gone)]
    attributes = network.structure.widths.resolve_attributes(knob, len(kept))
    copies = exact_duplicates(knob, gone, network)
    yield from merge_duplicates(knob, copies)
    lost = [unit for unit in gone if unit not in {copy for _, copy in copies}]
    constant = constant_units(knob, lost, network)
    yield from fold_constants(knob, constant, network)
    rest = [unit for unit in lost if unit not in constant]
    if repair == "least_squares" and rest:
        yield from absorb_by_least_squares(knob, rest, network)
    yield gather(knob, Index.of(kept), attributes=attributes)
