"""Transfer of weights between layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from genewright.edits import Copy, Edit
from genewright.errors import SelectionError, SettingError, UnsupportedError
from genewright.network import Network
from genewright.noise import choice
from genewright.operator import Operator
from genewright.operators.sharing.overlap import Overlap, overlap_of
from genewright.operators.sharing.pairs import candidates, pairs_of
from genewright.part import along
from genewright.references import NO_LAYER, DonorSetting, LayerSetting, as_donor
from genewright.seeding import Noise
from genewright.settings import check_choice, check_fraction
from genewright.tensor import Tensor

AXES = ("out", "in")


@dataclass(frozen=True, kw_only=True)
class Transfer(Operator):
    """Copy weights from one layer into another, of the same network or of a donor.

    target[i] = source[i] for the first positions i of an axis, or for all that two shapes have in common.

    Within one network, a share of a layer's weights goes to another layer.
    With n positions along the axis in the source and k = round(fraction * n), at least one where `fraction` is above 0:
    target[i] = source[i] for the positions i < k, bit for bit. Along "out" a position is a unit (an output feature or
    filter) with its bias and gain; along "in" it is an input, and biases stay. Tensors that two layers hold under the
    same name belong together. The source stays as it is, and the two are not tied (`Tie` does that).

    From a donor, a smaller or larger network, every tensor takes what both shapes have in common:
    target[i, j, ...] = source[i, j, ...] for all i, j, ... below the smaller length of each axis; the rest stays.
    ``gw.plan`` lists what is copied, cut and skipped.

    Args:
        source: Name of the layer, or of one tensor, that is read; None lets the seed choose two layers of one form. Of
            a donor: a name, or a pattern such as "encoder.*"; None takes the names of the target.
        target: Name of the layer or tensor that is written; with a donor also a pattern, whose stars stand for what
            those of `source` stand for; None is every trainable tensor.
        fraction: Share of the source's positions, in [0, 1]; within one network.
        axis: "out" or "in"; within one network.
        donor: The network that weights come from: a model, a state dict, a path, or a name in ``donors={...}``; None
            is this network itself.
        statistics: Running statistics come from the donor too, as they belong to its weights.

    Raises:
        SettingError: A setting is out of its range, only one of the two names is given, or the patterns have
            unequally many stars.
        UnknownNameError: No layer or tensor is called so.
        SelectionError: The layers have nothing of one name, or there is no pair to choose.
        UnsupportedError: The shapes do not allow it, or a donor's kernel has its units along another axis, as one of
            another framework; both are said.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))
        >>> mutant = gw.mutate(net, gw.Transfer("1", "2", fraction=0.5), seed=1)
        >>> torch.equal(mutant[2].weight[:2], net[1].weight[:2]), torch.equal(mutant[2].weight[2:], net[2].weight[2:])
        (True, True)
        >>> small = torch.nn.Sequential(torch.nn.Linear(3, 2))
        >>> from_small = gw.mutate(net, gw.Transfer("0", "0", donor="small"), seed=1, donors={"small": small})
        >>> torch.equal(from_small[0].weight[:2], small[0].weight)
        True

    References:
        Yosinski et al., "How transferable are features in deep neural networks?", arXiv:1411.1792, section 2;
        Chen, Goodfellow and Shlens, "Net2Net", arXiv:1511.05641 (a smaller network as the start of a larger one).
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"shape"})
    version: ClassVar[int] = 2

    source: LayerSetting = field(default=NO_LAYER, kw_only=False)
    target: LayerSetting = field(default=NO_LAYER, kw_only=False)
    fraction: float = field(default=1.0, kw_only=False)
    axis: Literal["out", "in"] = "out"
    donor: DonorSetting | None = None
    statistics: bool = True

    def __post_init__(self) -> None:
        check_fraction(self, "fraction", self.fraction)
        object.__setattr__(self, "fraction", float(self.fraction))
        check_choice(self, "axis", self.axis, AXES)
        if self.donor is None:
            check_both_or_none(self, self.source, self.target)
            return
        object.__setattr__(self, "donor", as_donor(self, "donor", self.donor))
        names = (self.source or self.target or "*", self.target or self.source or "*")
        stars = [sum(name.count(star) for star in "*?") for name in names]
        if stars[0] != stars[1]:
            raise SettingError(
                f"Transfer: the stars of source={names[0]!r} and target={names[1]!r} stand for the same text, so both "
                f"need as many; they have {stars[0]} and {stars[1]}."
            )
        if self.fraction != 1 or self.axis != "out":
            raise SettingError(
                "Transfer: fraction and axis are for layers of one network; leave them out with a donor."
            )

    def donors(self) -> tuple[str, ...]:
        return () if self.donor is None else (self.donor,)

    def note(self, networks: tuple[Network, ...]) -> str:
        return "" if self.donor is None else str(self._overlap(networks)[0])

    def resolve(self, networks: tuple[Network, ...], noise: Noise) -> Transfer:
        if self.donor is not None or self.source is not None:
            return self
        source, target = drawn_pair(type(self).__name__, networks[0], noise)
        return replace(self, source=source, target=target)

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        if self.donor is not None:
            yield from self._overlap(networks)[1]
            return
        pairs = pairs_of(self.source or "", self.target or "", networks[0], type(self).__name__)
        usable = [(s, t) for s, t in pairs if _axis(s, self.axis) is not None and _axis(t, self.axis) is not None]
        if not usable:
            names = ", ".join(f"{t.name!r} ({t.role})" for _, t in pairs)
            raise SelectionError(f"Transfer: {names} has no axis {self.axis!r}. Name a layer with a kernel.")
        for source, target in usable:
            yield self._copy(source, target)

    def _overlap(self, networks: tuple[Network, ...]) -> tuple[Overlap, list[Copy]]:
        source, target = self.source or self.target or "*", self.target or self.source or "*"
        return overlap_of(source, target, networks[0], networks[1], statistics=self.statistics)

    def _copy(self, source: Tensor, target: Tensor) -> Copy:
        start, end = _axis(source, self.axis) or 0, _axis(target, self.axis) or 0
        count = source.shape[start]
        copied = max(round(self.fraction * count), 1 if self.fraction else 0)
        others = [tuple(n for i, n in enumerate(t.shape) if i != axis) for t, axis in ((source, start), (target, end))]
        if others[0] != others[1] or copied > target.shape[end]:
            raise UnsupportedError(
                f"Transfer: {copied} of {count} positions along {self.axis!r} (axis {start}) of {source.name!r} of "
                f"shape {source.shape} do not fit into {target.name!r} of shape {target.shape}, axis {end}. All other "
                "lengths must agree, and the target must have as many positions. Name layers of one form, take a "
                "smaller fraction, or copy what both shapes have in common: donor=model."
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
