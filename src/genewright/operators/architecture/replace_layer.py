"""Another layer in the place of one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from genewright import edits
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.architecture.new_layer_init import chosen, init_new_layer
from genewright.references import NO_LAYER, LayerSetting
from genewright.seeding import Noise
from genewright.spec import as_spec, is_copy


@dataclass(frozen=True, kw_only=True)
class ReplaceLayer(Operator):
    """Put a new layer in the place of one, wherever that one is used.

    y = new(x) in the place of y = layer(x). The new layer's weights are drawn as its kind draws them at first; it
    takes over dtype, device, mode and hooks. The function changes.

    Args:
        layer: The layer; None lets the seed choose among those that receive one tensor and return its shape.
        new: A kind of torch.nn with its settings, or {"copy": name} of another layer of the model.

    Raises:
        SettingError: The new layer cannot be made.
        UnknownNameError: There is no such layer.
        UnsupportedError: The model does not run with the new layer; nothing is changed.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8))
        >>> new = {"layer": "LayerNorm", "normalized_shape": 8}
        >>> gw.mutate(net, gw.ReplaceLayer(layer="1", new=new), seed=1)[1]
        LayerNorm((8,), eps=1e-05, elementwise_affine=True, bias=True)

    References:
        Real et al., "Large-Scale Evolution of Image Classifiers", arXiv:1703.01041, section 3.2 (mutations that
        exchange layers).
    """

    layer: LayerSetting = field(default=NO_LAYER, kw_only=False)
    new: Any = field(default="identity", kw_only=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "new", as_spec("ReplaceLayer", self.new))

    def resolve(self, networks: tuple[Network, ...], noise: Noise) -> Operator:
        network = networks[0]
        if self.layer is not None:
            if not network.runs or is_copy(self.new):
                return self
            new = network.completed(self.new, network.structure.call(self.layer), inserted=False)
            return dataclasses.replace(self, new=new)
        calls = network.structure.calls().values()
        alone = [c for c in calls if c.layer and not c.composite and not c.extra_inputs]
        options = [c.layer for c in alone if c.input_shape == c.output_shape]
        name = chosen(options, noise, "ReplaceLayer", "layer that returns the shape of its input")
        return dataclasses.replace(
            self, layer=name, new=network.completed(self.new, network.structure.call(name), inserted=False)
        )

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[edits.Edit]:
        network = networks[0]
        replacement = edits.ReplaceLayer(layer=self.layer or "", new=self.new)
        yield replacement
        if not is_copy(self.new):
            yield from init_new_layer(replacement, network)
