"""A proposal: edits of which all that can be is checked before the first is applied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from genewright.edits.edit import Edit
from genewright.edits.gather import Gather
from genewright.errors import UnknownNameError, UnsupportedError
from genewright.tensor import Tensor, shared_memory


class Checked(NamedTuple):
    """What a look at a proposal says.

    Attributes:
        late: Which edits have to be checked when their turn comes: they change a tensor that an earlier one reshapes,
            or that an earlier one may have made.
        tensors: The names of the tensors that are there already and change.
    """

    late: frozenset[int]
    tensors: tuple[str, ...]


def check_proposal(edits: Sequence[Edit], views: Sequence[Any]) -> Checked:
    """Refuse edits that cannot be applied, before the first is.

    Args:
        edits: What an operator proposes.
        views: The network, then the donors.

    Raises:
        GenewrightError: An edit does not fit; the message names the tensor or layer.
    """
    late: set[int] = set()
    wired = False
    resized: set[str] = set()
    touched: dict[str, None] = {}
    for at, edit in enumerate(edits):
        wired = wired or edit.wiring
        names: list[str] = []
        try:
            for asked in edit.tensors():
                tensor: Tensor = views[0].tensor(asked)
                if tensor.shares:
                    raise UnsupportedError(shared_memory(tensor.name, tensor.shares[0]))
                names.append(tensor.name)
                touched[tensor.name] = None
        except UnknownNameError:
            if not wired:
                raise
            names = []
        if wired or not resized.isdisjoint(names):
            late.add(at)
        else:
            edit.check(views)
        if edit.shapes and isinstance(edit, Gather) and edit.index.size != edit.size:
            resized.update(names)  # also where it is late itself: two widths may share one of its tensors
    return Checked(frozenset(late), tuple(touched))
