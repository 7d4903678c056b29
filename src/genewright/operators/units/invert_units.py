"""Inversion of units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from genewright.edits import Edit, Perturb
from genewright.errors import UnsupportedError
from genewright.network import Network
from genewright.noise import Change
from genewright.operator import Operator
from genewright.operators.units.drawn_units import DrawnUnits
from genewright.operators.units.hidden_widths import refuse_frozen
from genewright.operators.units.own_tensors import UnitRows, unit_rows_of
from genewright.part import along
from genewright.seeding import Noise
from genewright.structure import Call
from genewright.tensor import Tensor

_NEGATE = Change(combine="negate")
_PASSING = (
    "Identity",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "Dropout1D",
    "Dropout2D",
    "Dropout3D",
    "Permute",
)


@dataclass(frozen=True, kw_only=True)
class InvertUnits(DrawnUnits, Operator):
    """Negate the pre-activation of units: what the activation function receives is -z instead of z, exactly.

    z' = -z for the pre-activation z of each chosen unit.

    z = W x + b, so the unit's rows of every kernel and its biases change their sign. Where a norm follows,
    z = g (W x + b - m) / s + h is not odd in W and b: then its gain g and shift h change their sign, and the kernel
    stays. Signs alone change, so nothing is rounded, and the same mutation twice gives the first bytes back.

    Args:
        rate: Share of the units of each layer, in [0, 1]; ceil(rate * n) of n.
        count: Instead of `rate`, exactly how many units of all that are chosen; those of a count are among those of a
            higher one.
        where: Which layers, by their kernels, and which of their units; all by default.

    Raises:
        SettingError: A setting is out of its range.
        SelectionError: `where` chooses no kernel.
        UnsupportedError: A bias, or the gain of a norm, is frozen or not there; a kernel is made from other tensors.
        ExampleError: The network has norms, and there is no example to see which layers they follow.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(4, 2)
        >>> mutant = gw.mutate(net, gw.InvertUnits(rate=1.0), seed=1)
        >>> x = torch.randn(3, 4)
        >>> torch.equal(mutant(x), -net(x))
        True

    References:
        Ma et al., "DeepMutation: Mutation Testing of Deep Learning Systems", arXiv:1805.05206, section IV.B (Neuron
        Activation Inverse: the sign is changed before the activation function).
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"shape"})
    inverse: ClassVar[bool] = True
    follows_units: ClassVar[bool] = True
    version: ClassVar[int] = 2

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        network = networks[0]
        found = unit_rows_of(self.where, network, "InvertUnits")
        negated = [self._negated(rows, network) for rows in found]
        drawn = self.drawn([(f"{rows.layer}/{len(rows.units)}", rows.units) for rows in found], noise)
        for tensors, units in zip(negated, drawn, strict=True):
            for tensor in tensors if units or self.count is None else ():
                part = along(tensor.unit_axis, units)
                yield Perturb(tensor=tensor.name, change=_NEGATE, stream=tensor.name, part=part)

    def _negated(self, rows: UnitRows, network: Network) -> tuple[Tensor, ...]:
        """Return the tensors whose sign makes that of the pre-activations."""
        if not any(tensor.role in ("norm_weight", "norm_bias") for tensor in network.tensors.values()) and not any(
            layer.kind == "norm" for layer in network.layers.values()
        ):
            return rows.tensors
        following = [call for call in _readers(rows.layer, network) if network.layer(call.layer).kind == "norm"]
        if not following:
            self._refuse_distant_norm(rows, network)
            return rows.tensors
        size = rows.tensors[0].shape[rows.tensors[0].unit_axis or 0]
        out: list[Tensor] = []
        for call in following:
            own = [t for t in network.tensors_by_layer().get(call.layer, []) if t.role in ("norm_weight", "norm_bias")]
            if len(call.sources) > 1:
                raise self._refusal(rows.layer, call.layer, "also normalises other layers' outputs")
            if not any(tensor.role == "norm_weight" for tensor in own):
                raise self._refusal(rows.layer, call.layer, "has no gain whose sign could be changed")
            if any(tensor.shape != (size,) for tensor in own):
                raise self._refusal(rows.layer, call.layer, "does not have a gain a unit")
            for tensor in own:
                refuse_frozen(tensor.name, self.where, network, "InvertUnits")
            out.extend(own)
        return tuple(out)

    def _refuse_distant_norm(self, rows: UnitRows, network: Network) -> None:
        """Refuse a layer whose outputs alone reach a norm, by a way that does not show which of it is the unit's."""
        for knob in network.structure.widths.knobs():
            gains = [p.layer for p in knob.places if network.tensor(p.tensor).role == "norm_weight"]
            norms = [*gains, *(layer for layer, _ in knob.norms)]
            if norms and {p.layer for p in knob.places if "writer" in p.roles} == {rows.layer}:
                raise self._refusal(rows.layer, norms[0], "does not stand directly behind it")

    def _refusal(self, layer: str, norm: str, why: str) -> UnsupportedError:
        return UnsupportedError(
            f"InvertUnits: the units of {layer!r} go through the norm {norm!r}, which {why}. Leave the layer out: "
            f"where=('*', '!{layer}')."
        )


def _readers(layer: str, network: Network) -> Iterator[Call]:
    """Yield the calls that receive a layer's output, by way of layers that leave it as it is."""
    calls = network.structure.calls()
    for call in calls.values():
        if layer in call.sources:
            if call.layer_type.endswith(_PASSING):
                yield from _readers(call.layer, network)
            else:
                yield call
