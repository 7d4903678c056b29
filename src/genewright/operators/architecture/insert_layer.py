"""A new layer behind one that is there."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from genewright import edits
from genewright.errors import UnsupportedError
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.architecture.new_layer_init import chosen, init_identity, init_new_layer
from genewright.references import NO_LAYER, LayerSetting
from genewright.seeding import Noise
from genewright.settings import check_choice
from genewright.spec import LayerSpec, Spec, as_spec
from genewright.structure import Call

_INITS = ("identity", "gate", "noise")
_AS_WIDE = ("identity", "linear", "convolution")  # a layer of ours, which takes its width from the one before


@dataclass(frozen=True, kw_only=True)
class InsertLayer(Operator):
    """Insert a layer that at first passes its input on.

    y' = layer(y), with layer(y) = y at first.

    With init="identity", the new kernels are the identity (a Dirac kernel for a convolution), so y' = I y + 0 = y.
    With init="gate", y' = y + g * layer(y) with a trainable gate g = 0 and a layer as its kind draws it.
    With init="noise", y' = layer(y): the function changes.

    Args:
        after: The layer whose output the new one takes; None lets the seed choose.
        layer: "identity" is a linear layer, or a convolution, as wide as the output of `after`; or a description that
            holds for every framework, {"kind": "linear", "inputs": 8, "outputs": 8}; or a kind of torch.nn with its
            settings, or for Keras {"class_name": "Dense", "config": {"units": 64}}.
        init: How the new layer starts.
        activation: A kind of activation behind the new layer, such as "ReLU"; the function is kept where it changes
            nothing, as a ReLU behind a ReLU.

    Raises:
        SettingError: A setting is of the wrong kind, or the layer cannot be made.
        UnknownNameError: There is no such layer.
        UnsupportedError: The layer does not fit behind `after`, or would change the function; nothing is changed.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
        >>> x = torch.randn(5, 4)
        >>> mutant = gw.mutate(net, gw.InsertLayer(after="1", activation="ReLU"), seed=1, example=x)
        >>> bool(torch.equal(mutant(x), net(x))), len(mutant)
        (True, 4)

    References:
        Chen, Goodfellow and Shlens, "Net2Net", arXiv:1511.05641, section 2.3 (deeper); Bachlechner et al., "ReZero",
        arXiv:2003.04887 (the gate).
    """

    after: LayerSetting = field(default=NO_LAYER, kw_only=False)
    layer: Any = field(default="identity", kw_only=False)
    init: Literal["identity", "gate", "noise"] = "identity"
    activation: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "layer", as_spec("InsertLayer", self.layer))
        check_choice(self, "init", self.init, _INITS)

    def claims(self) -> frozenset[str]:
        return frozenset() if self.init == "noise" else frozenset({"function"})

    def instead(self) -> str:
        said = "With init='gate' the function is kept, whatever the layer; with init='noise' it may change."
        return said if self.init == "identity" else ""

    def resolve(self, networks: tuple[Network, ...], noise: Noise) -> Operator:
        network = networks[0]
        after, layer = self.after, self.layer
        if after is None:
            after = self._place(network, noise)
        if isinstance(layer, str) and layer in _AS_WIDE:
            layer = _as_wide_as(network.structure.call(after))
        else:
            layer = network.completed(layer, network.structure.call(after), inserted=True) if network.runs else layer
        return dataclasses.replace(self, after=after, layer=layer)

    def _place(self, network: Network, noise: Noise) -> str:
        """Return the layer that the seed chooses, of those behind which this one can stand."""
        once = [c for c in network.structure.calls().values() if c.num_calls == 1 and not c.composite and not c.grafted]
        options = [c.layer for c in once if len(c.output_shape) > 1]
        own = isinstance(self.layer, str) and self.layer in _AS_WIDE
        while True:
            after = chosen(options, noise, "InsertLayer", "layer behind which another could be inserted")
            if not own or not _obstacle(network.structure.call(after)):
                return after
            options.remove(after)  # where its features lie is asked of one layer at a time, for it takes a while

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[edits.Edit]:
        network = networks[0]
        spec: Spec = self.layer
        if self.activation is not None:
            spec = LayerSpec(kind="chain", layers=(spec, LayerSpec(kind="activation", activation=self.activation)))
        if self.init == "gate":
            spec = LayerSpec(kind="gated", layers=(spec,))
        counted = network.structure.counts_entries(self.after or "") if network.runs else False
        insertion = edits.InsertLayer(after=self.after or "", layer=spec, grafted=counted)
        yield insertion
        if self.init == "identity":
            yield from init_identity(insertion, network, "InsertLayer")
        else:
            yield from init_new_layer(insertion, network)


def _features(call: Call) -> int:
    """Return how many features `call` returned; 0 where it returned none."""
    return call.output_shape[call.depth_axis] if len(call.output_shape) > 1 else 0


def _obstacle(call: Call) -> str:
    """Say why no layer of ours can stand behind `call`, or ""."""
    if _features(call) < 1:
        return f"{call.layer!r} returns shape {call.output_shape}, which has no features."
    if call.depth_axis not in (1, len(call.output_shape) - 1):
        return (
            f"{call.layer!r} returns shape {call.output_shape}, with its features along axis {call.depth_axis}: "
            f"no layer of ours works there. Say one: InsertLayer({call.layer!r}, layer=...)."
        )
    return ""


def _as_wide_as(call: Call) -> LayerSpec:
    """Return a layer with weights that receives what `call` returned, and returns the same shape."""
    if why := _obstacle(call):
        raise UnsupportedError(f"InsertLayer: {why}")
    width = _features(call)
    if not call.window_axes:
        return LayerSpec(kind="linear", inputs=width, outputs=width)
    return LayerSpec(
        kind="convolution",
        inputs=width,
        outputs=width,
        window=(3,) * call.window_axes,
        padding="same",
        channels="first" if call.depth_axis == 1 else "last",
    )
