"""Larger windows of Keras convolutions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from genewright.backends.keras.structure import KerasStructure
from genewright.edits import Edit, Gather, Place, ReplaceLayer, SetAttribute
from genewright.errors import UnsupportedError
from genewright.index import Index
from genewright.tensor import Tensor


def grown_kernel(
    layer: Any, name: str, tensors: Mapping[str, Tensor], structure: KerasStructure, by: int
) -> Iterator[Edit]:
    """Yield the edits of `Network.grown_kernel`: zeros around the kernel, so that every output sees what it saw.

    | padding | the old kernel stands | beside it |
    |---|---|---|
    | "same" | where the padding, computed anew, puts it: at the centre, but for windows smaller than their stride | |
    | "causal" | at the end: the window grows into the past | |
    | "valid" | at the centre | a layer of zero padding before the convolution |

    Raises:
        UnsupportedError: The layer is no convolution with a window, or its padding depends on the image's size.
    """
    kernel = next((t for k in ("kernel", "depthwise_kernel") if (t := tensors.get(f"{name}.{k}")) is not None), None)
    sizes = tuple(int(size) for size in getattr(layer, "kernel_size", ()))
    if "Transpose" in type(layer).__name__:
        raise UnsupportedError(
            f"GrowKernel: {name!r} is a {type(layer).__name__}: a larger window would put out more places. It works on "
            "convolutions, depthwise and separable ones included. Nothing has been changed."
        )
    if kernel is None or not sizes or kernel.shape[: len(sizes)] != sizes:
        raise UnsupportedError(f"GrowKernel: {name!r} is a {type(layer).__name__}, not a convolution with a window.")
    if layer.padding == "valid":
        yield ReplaceLayer(layer=name, new={"layer": "Sequential", "layers": [_zeros(layer, by), {"copy": name}]})
    yield SetAttribute(layer=name, attribute="kernel_size", value=[size + by for size in sizes])
    for axis, size in enumerate(sizes):
        left = by if layer.padding == "causal" else by // 2
        if layer.padding == "same":
            left = _offset(layer, name, axis, structure, by)
        index = Index.of((*(-1,) * left, *range(size), *(-1,) * (by - left)))
        yield Gather(width=f"{name} window", size=size, index=index, places=(Place(kernel.name, axis),))


def _zeros(layer: Any, by: int) -> dict[str, Any]:
    """Return the padding that makes up for a larger window."""
    dilation = tuple(layer.dilation_rate)
    around = [d * (by // 2) for d in dilation]
    config: dict[str, Any] = {"padding": around[0] if len(around) == 1 else around, "data_format": layer.data_format}
    return {"class_name": f"ZeroPadding{len(around)}D", "config": config}


def _offset(layer: Any, name: str, axis: int, structure: KerasStructure, by: int) -> int:
    """Return where along an axis the old kernel stands in the larger one, as padding="same" lays both.

    Padding by p zeros in all, p = max((ceil(n / s) - 1) * s + (k - 1) * d + 1 - n, 0), puts floor(p / 2) in front.
    Where the window is at least as long as its stride, p grows by d * by whatever n is.
    """
    size, stride, dilation = (int(values[axis]) for values in (layer.kernel_size, layer.strides, layer.dilation_rate))
    window = (size - 1) * dilation + 1
    if window >= stride:
        return by // 2
    call = structure.call(name)
    place = axis + (2 if layer.data_format == "channels_first" else 1)
    length = call.given[place]
    if length < 1 or call.times > 1:
        raise UnsupportedError(
            f"GrowKernel: the window {window} of {name!r} is smaller than its stride {stride}, so where its padding "
            "lies depends on the size of the image, which the model leaves open. Nothing has been changed."
        )
    raw = (-(-length // stride) - 1) * stride + window - length
    front, rest = divmod((max(raw + dilation * by, 0)) // 2 - max(raw, 0) // 2, dilation)
    if rest or not 0 <= front <= by:
        raise UnsupportedError(
            f"GrowKernel: with dilation {dilation} and stride {stride}, no place in a window of {size + by} sees what "
            f"{name!r} saw. Nothing has been changed."
        )
    return front
