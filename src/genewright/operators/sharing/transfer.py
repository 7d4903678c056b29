"""Transfer of weights between layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from genewright.edit import Copy, Edit
from genewright.errors import SelectionError, SettingError, UnsupportedError
from genewright.network import Network, Tensor
from genewright.noise import choice
from genewright.operator import Operator
from genewright.operators.sharing.pairs import candidates, pairs_of
from genewright.part import along
from genewright.seeding import Noise
from genewright.settings import check_choice, check_fraction

AXES = ("out", "in")


@dataclass(frozen=True, kw_only=True)
class Transfer(Operator):
    """Copy a share of one layer's weights into another layer.

    With n positions along the axis in the source and k = round(fraction * n), at least one where `fraction` is above 0:
    target[i] = source[i] for the positions i < k, bit for bit. Along "out" a position is a unit (an output feature or
    filter) with its bias and gain; along "in" it is an input, and biases stay. Tensors that two layers hold under the
    same name belong together. The source stays as it is, and the two are not tied (`Tie` does that).

    Args:
        source: Name of the layer, or of one tensor, that is read; None lets the seed choose two layers of one form.
        target: Name of the layer or tensor that is written.
        fraction: Share of the source's positions, in [0, 1].
        axis: "out" or "in".

    Raises:
        SettingError: A setting is out of its range, or only one of the two names is given.
        UnknownNameError: No layer or tensor is called so.
        SelectionError: The layers have nothing of one name, or there is no pair to choose.
        UnsupportedError: The shapes do not allow it; both are said.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))
        >>> mutant = gw.mutate(net, gw.Transfer("1", "2", fraction=0.5), seed=1)
        >>> torch.equal(mutant[2].weight[:2], net[1].weight[:2]), torch.equal(mutant[2].weight[2:], net[2].weight[2:])
        (True, True)

    References:
        Yosinski et al., "How transferable are features in deep neural networks?", arXiv:1411.1792, section 2.
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"shape"})

    source: str | None = field(default=None, kw_only=False)
    target: str | None = field(default=None, kw_only=False)
    fraction: float = 1.0
    axis: Literal["out", "in"] = "out"

    def __post_init__(self) -> None:
        check_fraction(self, "fraction", self.fraction)
        object.__setattr__(self, "fraction", float(self.fraction))
        check_choice(self, "axis", self.axis, AXES)
        check_both_or_none(self, self.source, self.target)

    def settled(self, network: Network, noise: Noise) -> Transfer:
        if self.source is not None:
            return self
        source, target = drawn_pair(type(self).__name__, network, noise)
        return replace(self, source=source, target=target)

    def propose(self, network: Network, noise: Noise) -> Iterator[Edit]:
        settled = self.settled(network, noise)
        pairs = pairs_of(settled.source or "", settled.target or "", network, type(self).__name__)
        usable = [(s, t) for s, t in pairs if _axis(s, self.axis) is not None and _axis(t, self.axis) is not None]
        if not usable:
            names = ", ".join(f"{t.name!r} ({t.role})" for _, t in pairs)
            raise SelectionError(f"Transfer: {names} has no axis {self.axis!r}. Name a layer with a kernel.")
        for source, target in usable:
            yield self._copy(source, target)

    def _copy(self, source: Tensor, target: Tensor) -> Copy:
        start, end = _axis(source, self.axis) or 0, _axis(target, self.axis) or 0
        count = source.shape[start]
        copied = max(round(self.fraction * count), 1 if self.fraction else 0)
        others = [tuple(n for i, n in enumerate(t.shape) if i != axis) for t, axis in ((source, start), (target, end))]
        if others[0] != others[1] or copied > target.shape[end]:
            raise UnsupportedError(
                f"Transfer: {copied} of {count} positions along {self.axis!r} (axis {start}) of {source.name!r} of "
                f"shape {source.shape} do not fit into {target.name!r} of shape {target.shape}, axis {end}. All other "
                "lengths must agree, and the target must have as many positions. Name layers of one form, or take a "
                "smaller fraction."
            )
        positions = tuple(range(copied))
        return Copy(
            tensor=target.name,
            source=source.name,
            part=along(end, positions),
            source_part=along(start, positions),
        )


def check_both_or_none(operator: object, source: object, target: object) -> None:
    """Refuse names that are no str, and one without the other."""
    who = type(operator).__name__
    for name in (source, target):
        if name is not None and (not isinstance(name, str) or not name):
            raise SettingError(f"{who}: a layer or tensor goes by its name; received {name!r}.")
    if (source is None) != (target is None):
        raise SettingError(f'{who}: name both layers, or neither. Write gw.{who}("layer_a", "layer_b").')


def drawn_pair(who: str, network: Network, noise: Noise) -> tuple[str, str]:
    """Return two layers or tensors of one form that the seed chooses.

    Raises:
        SelectionError: No two layers have one form.
    """
    pairs = candidates(network)
    if not pairs:
        raise SelectionError(
            f"{who}: no two layers or tensors of this network have one name, role and shape. Name two: "
            f'gw.{who}("layer_a", "layer_b").'
        )
    return pairs[choice(noise.stream("pair"), (1.0,) * len(pairs))]


def _axis(tensor: Tensor, axis: str) -> int | None:
    return tensor.unit_axis if axis == "out" else tensor.input_axis
