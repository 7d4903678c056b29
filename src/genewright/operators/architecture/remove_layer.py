"""A layer less."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from genewright import edits
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.architecture.new_layer_init import chosen
from genewright.references import NO_LAYER, LayerSetting
from genewright.seeding import Noise
from genewright.settings import check_nonnegative
from genewright.spec import LayerSpec


@dataclass(frozen=True, kw_only=True)
class RemoveLayer(Operator):
    """Take a layer out: whoever read its output reads its input.

    y' = x in the place of y = layer(x). That keeps the function only where the layer was the identity. With an
    example, `gw.plan` says by how much the outputs change, and `max_change` refuses what costs more. In a chain whose
    entries the model's code takes by number (``features[2:4]``), which a run on the example shows, the identity takes
    its place, so that the others keep theirs.

    Args:
        layer: The layer; None lets the seed choose among those that return the shape of their input.
        max_change: Largest allowed change of an output, relative to the largest output; None allows any. It needs an
            example.

    Raises:
        SettingError: `max_change` is negative.
        UnknownNameError: There is no such layer.
        UnsupportedError: The model does not run without the layer, or the change is too large; nothing is changed.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Identity(), torch.nn.Linear(4, 2))
        >>> len(gw.mutate(net, gw.RemoveLayer(layer="1", max_change=0), seed=1, example=torch.randn(3, 4)))
        2

    References:
        Veit, Wilber and Belongie, "Residual Networks Behave Like Ensembles of Relatively Shallow Networks",
        arXiv:1605.06431, section 4.1 (deleting layers of a trained network).
    """

    layer: LayerSetting = field(default=NO_LAYER, kw_only=False)
    max_change: float | None = None

    def __post_init__(self) -> None:
        if self.max_change is not None:
            check_nonnegative(self, "max_change", self.max_change)

    def limit(self) -> float:
        return math.inf if self.max_change is None else self.max_change

    def resolve(self, networks: tuple[Network, ...], noise: Noise) -> Operator:
        network = networks[0]
        if self.layer is None:
            options = next((group for group in network.structure.blocks() if group), ()) or _keeping_shape(network)
            name = chosen(options, noise, "RemoveLayer", "layer that returns the shape of its input")
            return dataclasses.replace(self, layer=name)
        if self.max_change is not None:
            network.structure.call(self.layer)  # without an example, the limit could not be held
        return self

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[edits.Edit]:
        network, layer = networks[0], self.layer or ""
        if network.runs and network.structure.counts_entries(layer):
            yield edits.ReplaceLayer(layer=layer, new=LayerSpec(kind="identity"))
        else:
            yield edits.RemoveLayer(layer=layer)


def _keeping_shape(network: Network) -> list[str]:
    """Return the layers that are called once, with nothing beside their input, and return its shape."""
    calls = [call for call in network.structure.calls().values() if call.layer and not call.extra_inputs]
    return [call.layer for call in calls if call.num_calls == 1 and call.input_shape == call.output_shape]
