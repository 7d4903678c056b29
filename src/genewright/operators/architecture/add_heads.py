"""More attention heads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar

from genewright.edits import Edit
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.architecture.heads import heads_of, some_heads
from genewright.operators.architecture.widen import Widen
from genewright.references import NO_LAYER, LayerSetting
from genewright.seeding import Noise
from genewright.settings import check_integer


@dataclass(frozen=True, kw_only=True)
class AddHeads(Operator):
    """Add whole heads to an attention: drawn at the layers' own spread, with zero columns in what reads them.

    y' = y + sum over new heads h of softmax(q_h k_h^T) v_h W_h, with W_h = 0 at first, so that y' = y.

    softmax(q_h k_h') v_h of the old heads stays; new heads are computed and left out until training lets them in.
    Where several query heads share one key and value head, such groups are counted.

    Args:
        layer: The attention, one of its projections, or the knob's name; a pattern such as "layers.*.attn" for several
            alike; None lets the seed choose.
        num_heads: How many are added.

    Raises:
        SettingError: `num_heads` is below 1.
        UnknownNameError: Nothing is called `layer`.
        UnsupportedError: It has no heads that can be told apart, or a literal pins their number.

    Example:
        >>> import genewright as gw
        >>> from genewright.conformance.torch_cases import networks
        >>> net, x = networks()["residual blocks of attention"]
        >>> more = gw.mutate(net, gw.AddHeads("blocks.0.query", num_heads=2), seed=1, example=x)
        >>> net.blocks[0].query.out_features, more.blocks[0].query.out_features
        (6, 10)

    References:
        Gesmundo, Maile, "Composable Function-preserving Expansions for Transformer Architectures", arXiv:2308.06103,
        section 3.2.
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"function"})

    layer: LayerSetting = field(default=NO_LAYER, kw_only=False)
    num_heads: int = field(default=1, kw_only=False)

    def __post_init__(self) -> None:
        check_integer(self, "num_heads", self.num_heads, low=1)

    def resolve(self, networks: tuple[Network, ...], noise: Noise) -> AddHeads:
        return self if self.layer else replace(self, layer=some_heads(networks[0], noise, "AddHeads", self.num_heads))

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        """Yield the edits of widening the number of heads silently."""
        assert self.layer is not None
        for knob in heads_of(networks[0], self.layer, "AddHeads"):
            yield from Widen(layer=knob.name, num_units=self.num_heads, init="silent").propose(networks, noise)
