"""A larger window of a convolution."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field

from genewright import edits
from genewright.errors import GenewrightError, SettingError
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.architecture.fresh import chosen
from genewright.seeding import Noise


@dataclass(frozen=True, kw_only=True)
class GrowKernel(Operator):
    """Enlarge the window of a convolution by zeros all around, and its padding with it.

    A kernel of size k becomes one of size k + by with the old weights at its centre; the padding p becomes
    p + dilation * by / 2, so that every output sees what it saw. On Keras, where padding is a word, "same" and "causal"
    follow by themselves, and a layer of zero padding makes up for "valid".

    No example is needed. But only with one it is checked, and refused, where code around the layer reads the window's
    size: to pad by hand, or to cut off what padding adds.

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

    layer: str | None = field(default=None, kw_only=False)
    by: int = field(default=2, kw_only=False)

    def __post_init__(self) -> None:
        if isinstance(self.by, bool) or not isinstance(self.by, int) or self.by < 2 or self.by % 2:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SettingError(f"GrowKernel: by is an even int of at least 2, half on each side; received {self.by!r}.")

    def resolve(self, networks: tuple[Network, ...], noise: Noise) -> Operator:
        network = networks[0]
        if self.layer is not None:
            return self
        options = [name for name in sorted(network.kinds()) if name and self._fits(name, network)]
        return dataclasses.replace(
            self, layer=chosen(options, noise, "GrowKernel", "convolution whose window can grow")
        )

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[edits.Edit]:
        network = networks[0]
        yield from network.grown_kernel(self.layer or "", self.by)

    def _fits(self, layer: str, network: Network) -> bool:
        try:
            network.grown_kernel(layer, self.by)
        except GenewrightError:
            return False
        return True
