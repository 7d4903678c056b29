"""A larger window of a convolution."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from genewright import edit
from genewright.errors import SettingError, UnsupportedError
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.architecture.fresh import chosen
from genewright.seeding import Noise


@dataclass(frozen=True, kw_only=True)
class GrowKernel(Operator):
    """Enlarge the window of a convolution by zeros all around, and its padding with it.

    A kernel of size k becomes one of size k + by with the old weights at its centre; the padding p becomes
    p + dilation * by / 2, so that every output sees what it saw.

    Args:
        layer: A convolution; None lets the seed choose.
        by: By how many positions the window grows along each axis: an even number, half on each side.

    Raises:
        SettingError: `by` is odd or not positive.
        UnknownNameError: There is no such layer.
        UnsupportedError: The layer is no convolution with a window; nothing is changed.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1))
        >>> gw.mutate(net, gw.GrowKernel(layer="0", by=2), seed=1)[0]
        Conv2d(3, 4, kernel_size=(5, 5), stride=(1, 1), padding=(2, 2))

    References:
        Wei et al., "Network Morphism", arXiv:1603.01670, section 3.4 (kernel size morphing).
    """

    keeps = frozenset({"function"})

    layer: str | None = None
    by: int = 2

    def __post_init__(self) -> None:
        if isinstance(self.by, bool) or not isinstance(self.by, int) or self.by < 2 or self.by % 2:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SettingError(f"GrowKernel: by is an even int of at least 2, half on each side; received {self.by!r}.")

    def settled(self, network: Network, noise: Noise) -> Operator:
        if self.layer is not None:
            return self
        options = [n for n in network.kinds() if n and not _fault(network, n)]
        return dataclasses.replace(
            self, layer=chosen(options, noise, "GrowKernel", "convolution whose window can grow")
        )

    def propose(self, network: Network, noise: Noise) -> Iterator[edit.Edit]:
        layer = self.layer or ""
        fault = _fault(network, layer)
        if fault:
            raise UnsupportedError(f"GrowKernel: {layer!r} {fault}. Nothing has been changed.")
        sizes = tuple(int(size) for size in network.attribute(layer, "kernel_size"))
        dilation = tuple(int(size) for size in network.attribute(layer, "dilation"))
        padding = network.attribute(layer, "padding")
        half = self.by // 2
        more = tuple(d * half for d in dilation)
        yield edit.SetAttribute(layer=layer, attribute="kernel_size", value=[s + self.by for s in sizes])
        if not isinstance(padding, str):
            wider = [int(p) + m for p, m in zip(padding, more, strict=True)]
            yield edit.SetAttribute(layer=layer, attribute="padding", value=wider)
        if network.attribute(layer, "padding_mode") != "zeros" or isinstance(padding, str):
            old = network.attribute(layer, "_reversed_padding_repeated_twice")
            around = [m for m in reversed(more) for _ in (0, 1)]
            repeated = [int(p) + m for p, m in zip(old, around, strict=True)]
            yield edit.SetAttribute(layer=layer, attribute="_reversed_padding_repeated_twice", value=repeated)
        weight = f"{layer}.weight" if layer else "weight"
        for axis, size in enumerate(sizes):
            index = (*(-1,) * half, *range(size), *(-1,) * half)
            yield edit.Reindex(tensor=weight, axis=2 + axis, index=index)


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
