"""A proposal: edits of which all that can be is checked before the first is applied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from genewright.edits.edit import Edit
from genewright.edits.gather import Gather
from genewright.edits.site import Site
from genewright.errors import UnknownNameError, UnsupportedError
from genewright.interrupts import shielded
from genewright.tensor import shared_memory


def check_proposal(edits: Sequence[Edit], views: Sequence[Any]) -> frozenset[int]:
    """Refuse edits that cannot be applied, before the first is.

    Args:
        edits: What an operator proposes.
        views: The network, then the donors.

    Returns:
        Which edits have to be checked when their turn comes: they change a tensor that an earlier one reshapes, or
        that an earlier one may have made.

    Raises:
        GenewrightError: An edit does not fit; the message names the tensor or layer.
    """
    late: set[int] = set()
    wired = False
    resized: set[str] = set()
    for at, edit in enumerate(edits):
        wired = wired or edit.wiring
        names: list[str] = []
        try:
            names = [views[0].tensor(name).name for name in edit.tensors()]
        except UnknownNameError:
            if not wired:
                raise
        for name in names:
            if others := views[0].tensor(name).shares:
                raise UnsupportedError(shared_memory(name, others[0]))
        if wired or not resized.isdisjoint(names):
            late.add(at)
        else:
            edit.check(views)
        if edit.shapes and isinstance(edit, Gather) and edit.index.size != edit.size:
            resized.update(names)  # also where it is late itself: two widths may share one of its tensors
    return frozenset(late)


@shielded
def apply_edit(edit: Edit, site: Site) -> None:
    """Apply one edit; a signal that comes meanwhile waits until it is done."""
    edit.apply(site)
