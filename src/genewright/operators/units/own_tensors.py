"""What makes the pre-activations of a layer: its kernels and biases, row by row."""

from __future__ import annotations

from dataclasses import dataclass

from genewright.errors import UnsupportedError
from genewright.network import Network
from genewright.operators.weights.kernels import KERNELS, selected_kernels
from genewright.tensor import Tensor
from genewright.where import Where

Rows = tuple[Tensor, ...]


@dataclass(frozen=True)
class UnitRows:
    """The units of a layer: rows of its kernels, and entries of its biases.

    Attributes:
        layer: The layer's name.
        units: Which of them are chosen.
        tensors: Those in which they stand, all of one length along their unit axis.
    """

    layer: str
    units: tuple[int, ...]
    tensors: Rows


def unit_rows_of(where: Where, network: Network, who: str) -> list[UnitRows]:
    """Return the chosen units of every layer with a chosen kernel, with all that makes their pre-activations.

    Raises:
        SelectionError: `where` chooses no kernel.
        UnsupportedError: A bias or another kernel of them is not chosen, or is made from other tensors.
    """
    chosen = {selected.tensor.name for selected in where.select(network)}
    found: dict[tuple[str, int], UnitRows] = {}
    for selected in selected_kernels(where, network, who):
        tensor = selected.tensor
        count = _count(tensor)
        if (tensor.layer, count) in found:
            continue
        own = tuple(t for t in network.tensors_by_layer()[tensor.layer] if _is_row(t, count))
        for each in own:
            if each.name not in chosen:
                raise UnsupportedError(
                    f"{who}: {each.name!r} belongs to the units of {tensor.layer or 'the model'!r}, and is frozen or "
                    "not chosen. Choose the layer whole, or leave it out."
                )
        _refuse_made(tensor, network, who)
        units = range(count) if selected.units is None else selected.units
        found[tensor.layer, count] = UnitRows(tensor.layer, tuple(units), own)
    return list(found.values())


def _is_row(tensor: Tensor, count: int) -> bool:
    return tensor.role in (*KERNELS, "bias") and tensor.unit_axis is not None and _count(tensor) == count


def _count(tensor: Tensor) -> int:
    return tensor.shape[tensor.unit_axis or 0] if tensor.shape else 0


def _refuse_made(kernel: Tensor, network: Network, who: str) -> None:
    several = network.layers[kernel.layer].kind == "separable_convolution" if kernel.layer in network.layers else False
    if "parametrizations" in kernel.name.split(".") or several:
        what = "a product of two kernels" if several else "made from it and from other tensors"
        raise UnsupportedError(
            f"{who}: what {kernel.layer or 'the model'!r} multiplies by is {what}, so {kernel.name!r} alone does not "
            f"make its pre-activations. Leave it out: where=('*', '!{kernel.layer or kernel.name}.*')."
        )
