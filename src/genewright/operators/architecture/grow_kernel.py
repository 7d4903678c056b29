"""A larger window of a convolution."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field

from genewright import edits
from genewright.errors import GenewrightError, SettingError, UnsupportedError
from genewright.index import Index
from genewright.layer import CONVOLUTIONS, Layer
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.architecture.new_layer_init import chosen
from genewright.references import NO_LAYER, LayerSetting
from genewright.seeding import Noise
from genewright.spec import LayerSpec


@dataclass(frozen=True, kw_only=True)
class GrowKernel(Operator):
    """Enlarge the window of a convolution by zeros all around, and its padding with it.

    K'[i + by / 2, j + by / 2] = K[i, j] in the middle, and K' = 0 around it.

    A kernel of size k becomes one of size k + by with the old weights at its centre; the padding p becomes
    p + dilation * by / 2, so that every output sees what it saw. Where padding is a word, "same" and "causal" follow by
    themselves, and on Keras a layer of zero padding makes up for "valid".

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

    layer: LayerSetting = field(default=NO_LAYER, kw_only=False)
    by: int = field(default=2, kw_only=False)

    def __post_init__(self) -> None:
        if isinstance(self.by, bool) or not isinstance(self.by, int) or self.by < 2 or self.by % 2:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SettingError(f"GrowKernel: by is an even int of at least 2, half on each side; received {self.by!r}.")

    def resolve(self, networks: tuple[Network, ...], noise: Noise) -> Operator:
        network = networks[0]
        if self.layer is not None:
            return self
        options = [name for name in sorted(network.layers) if name and self._fits(name, network)]
        return dataclasses.replace(
            self, layer=chosen(options, noise, "GrowKernel", "convolution whose window can grow")
        )

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[edits.Edit]:
        network = networks[0]
        layer = network.layer(self.layer or "")
        _refuse_windowless(layer)
        before = [self._before(layer, axis, network) for axis in range(len(layer.window))]
        around = [dilation * (self.by // 2) for dilation in layer.dilation]
        if layer.padding == "valid":
            zeros = LayerSpec(kind="zero_padding", padding=tuple(around), channels=layer.channels or "last")
            chain = LayerSpec(kind="chain", layers=(zeros, LayerSpec(kind="copy", copy=layer.name)))
            yield edits.ReplaceLayer(layer=layer.name, new=chain)
        window = [size + self.by for size in layer.window]
        yield edits.SetAttribute(layer=layer.name, attribute=layer.settings["window"], value=window)
        if not isinstance(layer.padding, str):
            wider = [old + more for old, more in zip(layer.padding, around, strict=True)]
            yield edits.SetAttribute(layer=layer.name, attribute=layer.settings["padding"], value=wider)
        for axis, (size, front) in enumerate(zip(layer.window, before, strict=True)):
            index = Index.of((*(-1,) * front, *range(size), *(-1,) * (self.by - front)))
            place = edits.Place(str(layer.kernel), layer.window_axis + axis)
            yield edits.Gather(width=f"{layer.name} window", size=size, index=index, places=(place,))

    def _fits(self, name: str, network: Network) -> bool:
        try:
            list(dataclasses.replace(self, layer=name).propose((network,), Noise(0)))
        except GenewrightError:
            return False
        return True

    def _before(self, layer: Layer, axis: int, network: Network) -> int:
        """Return how many zeros of an axis lie before the old kernel, so that every output sees what it saw.

        "same" pads by p zeros in all, p = max((ceil(n / s) - 1) * s + (k - 1) * d + 1 - n, 0), floor(p / 2) in front.
        Where the window is at least as long as its stride, p grows by d * by whatever n is.
        """
        size, stride, dilation = layer.window[axis], layer.stride[axis], layer.dilation[axis]
        window = (size - 1) * dilation + 1
        if layer.padding == "causal":
            return self.by  # it grows into the past
        if layer.padding != "same" or window >= stride:
            return self.by // 2
        call = network.structure.call(layer.name)
        length = call.input_shape[axis + (2 if layer.channels == "first" else 1)]
        if length < 1 or call.num_calls > 1:
            raise UnsupportedError(
                f"GrowKernel: the window {window} of {layer.name!r} is smaller than its stride {stride}, so where its "
                "padding lies depends on the size of the image, which the model leaves open. Nothing has been changed."
            )
        raw = (-(-length // stride) - 1) * stride + window - length
        front, rest = divmod((max(raw + dilation * self.by, 0)) // 2 - max(raw, 0) // 2, dilation)
        if rest or not 0 <= front <= self.by:
            raise UnsupportedError(
                f"GrowKernel: with dilation {dilation} and stride {stride}, no place in a window of {size + self.by} "
                f"sees what {layer.name!r} saw. Nothing has been changed."
            )
        return front


def _refuse_windowless(layer: Layer) -> None:
    if layer.window and not (layer.kind == "transposed_convolution" and isinstance(layer.padding, str)):
        return
    if not layer.class_name:
        raise UnsupportedError("GrowKernel: a checkpoint has no layers, so no window can grow. Give the model.")
    if layer.window:
        raise UnsupportedError(
            f"GrowKernel: {layer.name!r} is a {layer.class_name}: a larger window would return more places. It works "
            "on convolutions, depthwise and separable ones included. Nothing has been changed."
        )
    known = " whose kernel has its window" if layer.kind in CONVOLUTIONS else ""
    raise UnsupportedError(
        f"GrowKernel: {layer.name!r} is a {layer.class_name}, not a convolution{known}. Nothing has been changed."
    )
