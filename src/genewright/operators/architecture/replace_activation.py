"""Another activation function."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from genewright import edits
from genewright.errors import SelectionError, UnsupportedError
from genewright.layer import Layer, activation_name
from genewright.names import did_you_mean
from genewright.network import Network
from genewright.operator import Operator
from genewright.seeding import Noise
from genewright.settings import check_fraction
from genewright.spec import LayerSpec, Spec, as_spec
from genewright.where import EVERYTHING, WhereSetting, as_layers


@dataclass(frozen=True, kw_only=True)
class ReplaceActivation(Operator):
    """Replace activation functions, at once or as a blend that starts at the old one.

    y' = new(x) at once, which changes the function. With a blend b, y' = (1 - b) * old(x) + b * new(x) with a trainable
    b; with b = 0 at first the function is kept.

    Args:
        where: Patterns of the names of activation layers or of layers around them, or their class names ("ReLU"); all
            activations by default. What is the name of a layer means that layer. Only activations that are layers can
            be replaced, not those that forward code calls as functions. On Keras also layers whose config has an
            activation, and the names of such activations ("relu"); not recurrent layers, nor layers inside others than
            models.
        to: The new activation: its name, as torch or Keras writes it ("GELU", "leaky_relu"), or a layer with settings.
        blend: The blend at first, in [0, 1]; None replaces at once. On Keras one for each channel is trained.

    Raises:
        SettingError: `blend` is out of range, `to` is no layer, or `where` has roles, units or frozen, which layers do
            not have.
        SelectionError: `where` matches no activation layer.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU())
        >>> gw.mutate(net, gw.ReplaceActivation(to="GELU"), seed=1)[1]
        GELU(approximate='none')

    References:
        Ramachandran, Zoph and Le, "Searching for Activation Functions", arXiv:1710.05941 (activations worth trying).
    """

    where: WhereSetting = field(default_factory=EVERYTHING, kw_only=False)
    to: Any = field(default="GELU", kw_only=False)
    blend: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "where", as_layers("ReplaceActivation", self.where))
        object.__setattr__(self, "to", as_spec("ReplaceActivation", self.to))
        if self.blend is not None:
            check_fraction(self, "blend", self.blend)

    def claims(self) -> frozenset[str]:
        return frozenset({"function"}) if self.blend == 0 else frozenset()

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[edits.Edit]:
        network = networks[0]
        for name in self._chosen(network):
            yield from self._exchanged(network.layer(name))

    def _exchanged(self, layer: Layer) -> Iterator[edits.Edit]:
        """Yield what gives a layer the new activation, at once or blended in behind the old one."""
        setting = layer.settings.get("activation")  # where it is no layer but a word among a layer's settings
        new: Spec = LayerSpec(kind="activation", activation=self.to) if isinstance(self.to, str) else self.to
        if self.blend is not None:
            old = LayerSpec(kind="copy", copy=layer.name)
            if setting is not None:
                old = LayerSpec(kind="activation", activation=layer.activation)
            blend = LayerSpec(kind="blend", layers=(old, new), gate=float(self.blend))
            if setting is None:
                yield edits.ReplaceLayer(layer=layer.name, new=blend)
                return
            yield edits.SetAttribute(layer=layer.name, attribute=setting, value="linear")
            yield edits.InsertLayer(after=layer.name, layer=blend)
        elif setting is None:
            yield edits.ReplaceLayer(layer=layer.name, new=new)
        elif isinstance(self.to, str):
            yield edits.SetAttribute(layer=layer.name, attribute=setting, value=activation_name(self.to))
        else:
            raise UnsupportedError(
                f"ReplaceActivation: {layer.name!r} has its activation in its config, where only a name fits, such as "
                "'gelu'; or say blend=0.0 or blend=1.0, for which layers are put behind it."
            )

    def _chosen(self, network: Network) -> list[str]:
        kinds = {n: layer.activation for n, layer in network.layers.items() if n and layer.activation is not None}
        # What is the name of a layer means that layer, not every layer with a function of that name.
        found = [name for name, kind in kinds.items() if self.where.has_layer(name, "" if kind in kinds else kind)]
        if not found:
            patterns = (*self.where.patterns, *self.where.layers)
            asked = ", ".join(map(repr, patterns)) or "(all)"
            hint = did_you_mean(patterns[0], [*kinds, *kinds.values()]) if patterns and kinds else ""
            raise SelectionError(
                f"ReplaceActivation: no activation layer matches {asked}; the network has {len(kinds)}. Activations "
                f"that forward code calls as functions cannot be replaced. {hint}".rstrip()
            )
        return found
