"""Tying of layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from genewright.edits import Edit
from genewright.edits import Tie as TieEdit
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.sharing.pairs import pairs_of
from genewright.operators.sharing.transfer import check_both_or_none, drawn_pair
from genewright.references import NO_LAYER, LayerSetting
from genewright.seeding import Noise
from genewright.tensor import refuse_untieable


@dataclass(frozen=True, kw_only=True)
class Tie(Operator):
    """Let two layers share their weights from now on: one memory, one gradient.

    w_target = w_source: one tensor, under both names.

    The target takes the source's tensors in the place of its own; those that two layers hold under the same name belong
    together. From then on they are trained, mutated and counted once. A state dict lists a tied tensor under each of
    its names, so a mutant that is loaded by other means than `gw.load` has equal weights, but untied.

    Args:
        source: Name of the layer, or of one tensor, whose weights stay; None lets the seed choose two layers of one
            form.
        target: Name of the layer or tensor whose weights give way.

    Raises:
        SettingError: Only one of the two names is given.
        UnknownNameError: No layer or tensor is called so.
        SelectionError: The layers have nothing of one name, or there is no pair to choose.
        UnsupportedError: Shapes or dtypes differ (both are said), or the two are one already.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU(), torch.nn.Linear(4, 4))
        >>> mutant = gw.mutate(net, gw.Tie("0.weight", "2.weight"), seed=1)
        >>> mutant[0].weight is mutant[2].weight, mutant[0].bias is mutant[2].bias
        (True, False)

    References:
        Press and Wolf, "Using the Output Embedding to Improve Language Models", arXiv:1608.05859; Gaier and Ha, "Weight
        Agnostic Neural Networks", arXiv:1906.04358 (one weight for many connections).
    """

    source: LayerSetting = field(default=NO_LAYER, kw_only=False)
    target: LayerSetting = field(default=NO_LAYER, kw_only=False)

    def __post_init__(self) -> None:
        check_both_or_none(self, self.source, self.target)

    def resolve(self, networks: tuple[Network, ...], noise: Noise) -> Tie:
        if self.source is not None:
            return self
        source, target = drawn_pair(type(self).__name__, networks[0], noise)
        return replace(self, source=source, target=target)

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        pairs = pairs_of(self.source or "", self.target or "", networks[0], type(self).__name__)
        for source, target in pairs:
            refuse_untieable(target, source)
        for source, target in pairs:
            yield TieEdit(tensor=target.name, to=source.name)
