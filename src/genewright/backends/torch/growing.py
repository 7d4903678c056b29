"""Larger windows of torch convolutions."""

from __future__ import annotations

from collections.abc import Iterator

from genewright.edits import Edit, Gather, Place, SetAttribute
from genewright.errors import UnsupportedError
from genewright.index import Index
from genewright.network import Network


def grown_kernel(network: Network, layer: str, by: int) -> Iterator[Edit]:
    """Yield the edits of `Network.grown_kernel`.

    Raises:
        UnsupportedError: The layer is no convolution with a window.
    """
    fault = _fault(network, layer)
    if fault:
        raise UnsupportedError(f"GrowKernel: {layer!r} {fault}. Nothing has been changed.")
    sizes = tuple(int(size) for size in network.attribute(layer, "kernel_size"))
    dilation = tuple(int(size) for size in network.attribute(layer, "dilation"))
    padding = network.attribute(layer, "padding")
    half = by // 2
    more = tuple(d * half for d in dilation)
    yield SetAttribute(layer=layer, attribute="kernel_size", value=[s + by for s in sizes])
    if not isinstance(padding, str):
        wider = [int(p) + m for p, m in zip(padding, more, strict=True)]
        yield SetAttribute(layer=layer, attribute="padding", value=wider)
    weight = f"{layer}.weight" if layer else "weight"
    for axis, size in enumerate(sizes):
        index = Index.of((*(-1,) * half, *range(size), *(-1,) * half))
        yield Gather(width=f"{layer} window", size=size, index=index, places=(Place(weight, 2 + axis),))


def _fault(network: Network, layer: str) -> str:
    """Say why the layer's window cannot grow, or nothing."""
    kind = network.kinds().get(layer)
    if kind is None:
        network.attribute(layer, "training")  # raises, with the nearest names
    weight = f"{layer}.weight" if layer else "weight"
    try:
        sizes = network.attribute(layer, "kernel_size")
        network.attribute(layer, "dilation")
        network.attribute(layer, "padding_mode")
        tensor = network.tensor(weight)
    except LookupError:
        return f"is a {kind}, not a convolution"
    if not isinstance(sizes, tuple) or tensor.shape[2:] != sizes:
        return f"is a {kind} whose weight does not have its window"
    return ""
