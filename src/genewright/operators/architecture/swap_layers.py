"""Two layers that change places."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from genewright import edits
from genewright.errors import SettingError, UnsupportedError
from genewright.network import Network
from genewright.noise import choice
from genewright.operator import Operator
from genewright.references import NO_LAYER, LayerSetting
from genewright.seeding import Noise
from genewright.tensor import Tensor

_STATE = ("statistic", "buffer")
_Signature = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class SwapLayers(Operator):
    """Let two layers of one signature change places: each stands where the other stood.

    y = b(...a(x)...) instead of y = a(...b(x)...): the two exchange all their tensors, statistics and buffers too, bit
    for bit, and keep their names.

    Layers have one signature if they are of one class, their tensors have the same names, shapes and dtypes, and what
    is known of them beside (stride, padding, groups, heads, epsilon, ...) is the same; so it makes no difference
    whether layers or tensors change places. The same mutation twice gives the first bytes back.

    Args:
        layer: One of the two; None lets the seed choose, among layers that are not frozen.
        other: The other; None lets the seed choose among those of the same signature. A whole block is taken where
            both are named.

    Raises:
        SettingError: Only `other` is given.
        UnknownNameError: There is no such layer.
        UnsupportedError: The two differ in their signature, one lies in the other, or there are no two of one.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU(), torch.nn.Linear(4, 4))
        >>> mutant = gw.mutate(net, gw.SwapLayers("0", "2"), seed=1)
        >>> x = torch.ones(1, 4)
        >>> torch.equal(mutant(x), net[0](net[1](net[2](x))))
        True

    References:
        Wang et al., "Deep Learning Library Testing via Effective Model Generation", ESEC/FSE 2020 (LEMON: Layer Switch,
        of two layers with the same shapes of input and output).
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"shape"})
    statistics: ClassVar[bool] = True  # they belong to the weights that they are of, and move with them
    inverse: ClassVar[bool] = True

    layer: LayerSetting = field(default=NO_LAYER, kw_only=False)
    other: LayerSetting = field(default=NO_LAYER, kw_only=False)

    def __post_init__(self) -> None:
        if self.layer is None and self.other is not None:
            raise SettingError(
                f"SwapLayers: other={self.other!r} needs the first of the two as well. Write "
                f"SwapLayers({self.other!r}) for any partner."
            )

    def resolve(self, networks: tuple[Network, ...], noise: Noise) -> Operator:
        network = networks[0]
        if self.layer is not None and self.other is not None:
            return self
        signatures = {name: _signature(name, network) for name in _leaves(network)}
        if self.layer is not None:
            signatures[self.layer] = _signature(self.layer, network)
        of_one: dict[_Signature, list[str]] = {}
        for name, signature in sorted(signatures.items()):
            of_one.setdefault(signature, []).append(name)
        pairs = [
            (first, second)
            for names in of_one.values()
            for first in names
            for second in names
            if first != second
            and self.layer in (None, first)
            and (self.layer is not None or first < second)
            and not _one_already(first, second, network)
        ]
        if not pairs:
            what = "no two layers" if self.layer is None else f"no layer beside {self.layer!r}"
            raise UnsupportedError(
                f"SwapLayers: this network has {what} of one signature (class, settings and shapes) that are not "
                "frozen or one already. Nothing has been changed."
            )
        layer, other = sorted(pairs)[choice(noise.stream("layer"), [1.0] * len(pairs))]
        return dataclasses.replace(self, layer=layer, other=other)

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[edits.Edit]:
        network, layer, other = networks[0], self.layer or "", self.other or ""
        if layer == other or layer.startswith(f"{other}.") or other.startswith(f"{layer}."):
            raise UnsupportedError(f"SwapLayers: {layer!r} and {other!r} are not two layers beside each other.")
        mine, theirs = _held(layer, network), _held(other, network)
        if _signature(layer, network) != _signature(other, network):
            raise UnsupportedError(
                f"SwapLayers: {layer!r} and {other!r} are not of one signature: {_told(layer, mine, network)}, and "
                f"{_told(other, theirs, network)}. Layers change places that agree in class, settings and shapes."
            )
        pairs = [(mine[name], theirs[name]) for name in mine if mine[name].name != theirs[name].name]
        if not pairs:
            raise UnsupportedError(f"SwapLayers: {layer!r} and {other!r} share all their tensors, or have none.")
        for first, second in pairs:
            yield edits.Exchange(tensor=first.name, other=second.name)


def _held(layer: str, network: Network) -> dict[str, Tensor]:
    """Return the tensors of a layer and of those in it, tied ones too, by their names there.

    Raises:
        UnknownNameError: There is no such layer.
    """
    prefix = f"{layer}."
    found = {
        name.removeprefix(prefix): tensor
        for tensor in network.tensors.values()
        for name in (tensor.name, *tensor.aliases)
        if name.startswith(prefix)
    }
    if not found:
        network.layer(layer)
    return dict(sorted(found.items()))


def _leaves(network: Network) -> list[str]:
    """Return the layers that hold tensors of their own, none of them a frozen parameter."""
    held: dict[str, list[Tensor]] = {}
    for tensor in network.tensors.values():
        for name in (tensor.name, *tensor.aliases):
            owner = tensor.layer if name == tensor.name else name.rpartition(".")[0]
            held.setdefault(owner.partition(".parametrizations")[0], []).append(tensor)
    return [name for name, own in held.items() if name and all(t.trainable or t.role in _STATE for t in own)]


def _signature(layer: str, network: Network) -> _Signature:
    """Return what two layers have to agree in to change places."""
    prefix = f"{layer}."
    tensors = tuple((name, t.shape, t.dtype, t.role) for name, t in _held(layer, network).items())
    facts = tuple(
        dataclasses.replace(facts, name=name[len(prefix) :], kernel=None, bias=None, aliases=())
        for name, facts in network.layers.items()
        if name == layer or name.startswith(prefix)
    )
    return tensors, facts


def _one_already(first: str, second: str, network: Network) -> bool:
    mine, theirs = _held(first, network), _held(second, network)
    return all(mine[name].name == theirs[name].name for name in mine)


def _told(layer: str, held: dict[str, Tensor], network: Network) -> str:
    facts = network.layers.get(layer)
    shapes = ", ".join(f"{name} {tensor.shape}" for name, tensor in list(held.items())[:3])
    return f"{layer!r} is {(facts.class_name if facts else '') or 'a layer'} with {shapes or 'no tensors'}"
