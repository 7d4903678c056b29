"""Copies of layers as they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field

from genewright import edits
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.architecture.new_layer_init import chosen
from genewright.references import NO_LAYER, LayerSetting
from genewright.seeding import Noise
from genewright.spec import LayerSpec


@dataclass(frozen=True, kw_only=True)
class CopyLayer(Operator):
    """Put an exact copy of a layer behind it.

    y = layer(layer(x)), with weights of their own from then on. The function changes: `DuplicateBlock` copies without
    that. A copy beside an entry of a list is an entry of its own, where the code that runs over the list allows that;
    layer indices and the config's count follow.

    Args:
        layer: A layer that takes what it returns; None lets the seed choose among those that return the shape of
            their input, which takes an example.

    Raises:
        UnknownNameError: There is no such layer.
        UnsupportedError: The model does not run with the copy; nothing is changed.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 2))
        >>> twice = gw.mutate(net, gw.CopyLayer("0"), seed=1)
        >>> x = torch.ones(1, 4)
        >>> torch.equal(twice(x), net[1](net[0](net[0](x))))
        True

    References:
        Kim et al., "SOLAR 10.7B: Scaling Large Language Models with Simple yet Effective Depth Up-Scaling",
        arXiv:2312.15166, section 2 (layers copied as they are); Ma et al., "DeepMutation", arXiv:1805.05206, section 4
        (a layer more, as a fault).
    """

    layer: LayerSetting = field(default=NO_LAYER, kw_only=False)

    def resolve(self, networks: tuple[Network, ...], noise: Noise) -> Operator:
        if self.layer is not None:
            return self
        calls = networks[0].structure.calls().values()
        alone = [call for call in calls if call.layer and not call.extra_inputs and call.num_calls == 1]
        options = [call.layer for call in alone if call.input_shape == call.output_shape]
        name = chosen(options, noise, "CopyLayer", "layer that returns the shape of its input")
        return dataclasses.replace(self, layer=name)

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[edits.Edit]:
        network, name = networks[0], networks[0].layer(self.layer or "").name
        counted = network.runs and network.structure.counts_entries(name)
        yield edits.InsertLayer(after=name, layer=LayerSpec(kind="copy", copy=name), grafted=counted)
