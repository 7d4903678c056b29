"""Whether two networks have one form: the same tensors, of the same shapes and dtypes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from genewright.edits import Copy
from genewright.errors import SelectionError, UnsupportedError
from genewright.index import Index
from genewright.network import Network
from genewright.tensor import Tensor
from genewright.where import Selected

OTHER_SIZES = ("refuse", "overlap", "skip")


def first_difference(tensors: Iterable[Tensor], donor: Network) -> str:
    """Return in words the first of some tensors that a donor lacks or has in another form; "" where there is none."""
    for tensor in tensors:
        other = counterpart(tensor, donor)
        if other is None:
            return f"the donor has no tensor {tensor.name!r}"
        if other.shape != tensor.shape:
            return f"{tensor.name!r} has shape {tensor.shape} here and {other.shape} in the donor"
        if other.dtype != tensor.dtype:
            return f"{tensor.name!r} is {tensor.dtype} here and {other.dtype} in the donor"
        if other.unit_axis != tensor.unit_axis:
            return (
                f"{tensor.name!r} has its units along axis {tensor.unit_axis} here and {other.unit_axis} in the donor"
            )
    return ""


def counterpart(tensor: Tensor, donor: Network) -> Tensor | None:
    """Return the donor's tensor of the same name, under any of its names; None where it has none."""
    known = donor.tensors.get(tensor.name)
    if known is not None:
        return known
    return next((one for one in donor.tensors.values() if tensor.name in one.aliases), None)


def refuse_other_form(operator: str, tensors: Iterable[Tensor], donor: Network, name: str, advice: str) -> None:
    """Refuse a donor of another form.

    Raises:
        UnsupportedError: A tensor differs; the first one is named.
    """
    difference = first_difference(tensors, donor)
    if difference:
        raise UnsupportedError(f"{operator}: the donor {name!r} has another form: {difference}. {advice}")


def in_common(
    layers: Mapping[str, list[Selected]], donor: Network, name: str, other_sizes: str
) -> dict[str, list[Selected]]:
    """Return what of chosen tensors, by layer, a donor has something for.

    Args:
        layers: The chosen tensors.
        donor: The other network.
        name: The donor's name.
        other_sizes: "refuse" another form; take the "overlap" of shapes; "skip" whole layers of another form.

    Raises:
        UnsupportedError: A tensor has another form, and that is to be refused; the first one is named.
        SelectionError: There is nothing.
    """
    if other_sizes == "refuse":
        advice = 'Take what both have in common with other_sizes="overlap", or leave such layers with "skip".'
        tensors = [selected.tensor for chosen in layers.values() for selected in chosen]
        refuse_other_form("Crossover", tensors, donor, name, advice)
        return dict(layers)
    kept: dict[str, list[Selected]] = {}
    for layer, chosen in layers.items():
        pairs = [(one, counterpart(one.tensor, donor)) for one in chosen]
        overlapping = [one for one, other in pairs if other is not None and len(other.shape) == len(one.tensor.shape)]
        if other_sizes == "skip" and first_difference([one.tensor for one in chosen], donor):
            continue
        if overlapping:
            kept[layer] = overlapping
    if not kept:
        raise SelectionError(
            f"Crossover: no layer of the donor {name!r} has the shapes of this network's. Take a network with layers "
            "of the same names and shapes."
        )
    return kept


def no_position(layers: Mapping[str, list[Selected]], donor: Network) -> Iterator[Copy]:
    """Yield the copy of no position of the first tensor that has axes: an edit that changes nothing."""
    for selected in (each for chosen in layers.values() for each in chosen):
        theirs = counterpart(selected.tensor, donor)
        if selected.tensor.shape and theirs is not None:
            none = (Index.of(()),)
            yield Copy(tensor=selected.tensor.name, source=theirs.name, part=none, source_part=none, of=1)
            return
