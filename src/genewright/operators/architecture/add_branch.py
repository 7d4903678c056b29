"""A branch beside a layer."""

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
from genewright.spec import LayerSpec, as_spec


@dataclass(frozen=True, kw_only=True)
class AddBranch(Operator):
    """Add a gated branch beside a layer: y' = layer(x) + g * branch(x), with a trainable g = 0.

    Args:
        layer: The layer; None lets the seed choose among linear layers and convolutions.
        branch: What the branch computes; None is a second layer of the same kind, drawn afresh.

    Raises:
        SettingError: `branch` is no layer.
        UnknownNameError: There is no such layer.
        UnsupportedError: The branch does not return what the layer returns; nothing is changed.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU())
        >>> x = torch.randn(5, 4)
        >>> mutant = gw.mutate(net, gw.AddBranch(layer="0"), seed=1, example=x)
        >>> bool(torch.equal(mutant(x), net(x)))
        True

    References:
        Szegedy et al., "Going Deeper with Convolutions", arXiv:1409.4842 (branches); Bachlechner et al., "ReZero",
        arXiv:2003.04887 (the gate).
    """

    keeps = frozenset({"function"})

    layer: LayerSetting = field(default=NO_LAYER, kw_only=False)
    branch: Any = field(default=None, kw_only=False)

    def __post_init__(self) -> None:
        if self.branch is not None:
            object.__setattr__(self, "branch", as_spec("AddBranch", self.branch))

    def resolve(self, networks: tuple[Network, ...], noise: Noise) -> Operator:
        network = networks[0]
        layer = self.layer
        if layer is None:
            kernels = {t.layer for t in network.tensors.values() if t.role == "kernel"}
            calls = network.structure.calls().values()
            once = [c.layer for c in calls if c.num_calls == 1 and not c.composite and not c.grafted]
            options = [layer for layer in once if layer in kernels]
            layer = chosen(options, noise, "AddBranch", "linear layer or convolution that the example reaches")
        return dataclasses.replace(self, layer=layer, branch=self.branch or LayerSpec(kind="copy", copy=layer))

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[edits.Edit]:
        network = networks[0]
        branch = edits.Rewire(start=self.layer or "", end=self.layer or "", path=self.branch)
        yield branch
        yield from init_new_layer(branch, network)
