"""Fewer attention heads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from genewright.edits import Edit
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.architecture.heads import heads_of, some_heads
from genewright.operators.architecture.importance import choices
from genewright.operators.architecture.narrow import Narrow
from genewright.references import NO_LAYER, LayerSetting
from genewright.seeding import Noise
from genewright.settings import check_choice, check_integer


@dataclass(frozen=True, kw_only=True)
class RemoveHeads(Operator):
    """Remove whole heads from an attention.

    y' = y - sum over removed heads h of softmax(q_h k_h^T) v_h W_h.

    Exact where the removed heads' columns in what reads them are zero; else it changes the outputs.

    Args:
        layer: The attention, one of its projections, or the knob's name; a pattern such as "layers.*.attn" for several
            alike; None lets the seed choose.
        num_heads: How many are removed; by default 1.
        heads: Which ones, by number, instead of `num_heads`.
        by: Which ones where only their number is said, as in `Narrow`.

    Raises:
        SettingError: None would stay, or a setting is out of its range.
        UnknownNameError: Nothing is called `layer`.
        UnsupportedError: It has no heads that can be told apart, or a literal pins their number.

    Example:
        >>> import genewright as gw
        >>> from genewright.conformance.torch_cases import networks
        >>> net, x = networks()["residual blocks of attention"]
        >>> fewer = gw.mutate(net, gw.RemoveHeads("blocks.0.query", heads=(0,)), seed=1, example=x)
        >>> net.blocks[0].query.out_features, fewer.blocks[0].query.out_features
        (6, 4)

    References:
        Michel, Levy, Neubig, "Are Sixteen Heads Really Better than One?", arXiv:1905.10650.
    """

    layer: LayerSetting = field(default=NO_LAYER, kw_only=False)
    num_heads: int | None = field(default=None, kw_only=False)
    heads: tuple[int, ...] | None = None
    by: str = "magnitude"

    def __post_init__(self) -> None:
        if self.heads is None and self.num_heads is None:
            object.__setattr__(self, "num_heads", 1)
        check_choice(self, "by", self.by, choices())
        if self.num_heads is not None:
            check_integer(self, "num_heads", self.num_heads, low=1)
        if self.heads is not None:
            object.__setattr__(self, "heads", tuple(self.heads))
        self._narrowing("")

    def resolve(self, networks: tuple[Network, ...], noise: Noise) -> RemoveHeads:
        if self.layer:
            return self
        heads = self.heads or ()
        removed, least = self.num_heads or len(heads), max(heads, default=0) + 1
        return replace(self, layer=some_heads(networks[0], noise, "RemoveHeads", -removed, least))

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        """Yield the edits of narrowing the number of heads."""
        assert self.layer is not None
        for knob in heads_of(networks[0], self.layer, "RemoveHeads"):
            yield from self._narrowing(knob.name).propose(networks, noise)

    def _narrowing(self, layer: str) -> Narrow:
        return Narrow(layer=layer, num_units=self.num_heads, units=self.heads, by=self.by)
