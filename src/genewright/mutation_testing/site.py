"""Site: the place in a network at which a mutant's operator acts, and the sites that an operator has in a network."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from genewright.errors import GenewrightError, SelectionError, UnsupportedError
from genewright.network import Network
from genewright.operator import AnyOperator, Combinator, Operator
from genewright.operators.combinators.parts import refusal
from genewright.operators.output_layers import output_layers
from genewright.seeding import Noise
from genewright.units import units_of
from genewright.where import UnitChoice, Where

SiteKind = Literal["layer", "tensor", "unit", "all"]
SITE_KINDS: tuple[str, ...] = SiteKind.__args__

_PLACES = ("where", "block", "after", "layer")
"""Settings that say where an operator acts, the most telling first."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """A place in a network: one layer, one tensor, one unit of a layer, or all that the operator chooses.

    Attributes:
        layer: Name of the layer; None where the site is the whole network.
        tensors: Names of the tensors that may change; empty where a layer alone is named.
        unit: Number of the unit, or None.
        kind: Which of these it is.
    """

    layer: str | None = None
    tensors: tuple[str, ...] = ()
    unit: int | None = None
    kind: SiteKind = "all"

    def __str__(self) -> str:
        if self.kind == "tensor":
            return self.tensors[0]
        name = "(all)" if self.layer is None else self.layer or "(the model)"
        return name if self.unit is None else f"{name}[{self.unit}]"

    def settle(self, operator: AnyOperator) -> AnyOperator:
        """Return the operator as it acts at this site alone.

        >>> import genewright as gw
        >>> site = Site(layer="fc1", tensors=("fc1.weight",), kind="layer")
        >>> site.settle(gw.Zero(rate=0.1)).where.patterns
        ('fc1.weight',)
        """
        if self.kind == "all":
            return operator
        if isinstance(operator, Combinator):
            return _with_parts(operator, self)
        place = place_of(operator)
        if place is None:
            raise SelectionError(
                f"{type(operator).__name__} has no setting that says where it acts, so it has no sites but the whole "
                "network. Write sites='all'."
            )
        if place != "where":
            return dataclasses.replace(cast(Any, operator), **{place: self.layer})
        chosen = cast(Where, getattr(operator, "where"))  # noqa: B009  # not every operator has it
        patterns = self.tensors or (str(self.layer),)
        units = chosen.units if self.unit is None else (UnitChoice("*", (self.unit,)),)
        return dataclasses.replace(
            cast(Any, operator), where=dataclasses.replace(chosen, patterns=patterns, layers=(), units=units)
        )


def place_of(operator: Operator) -> str | None:
    """Return the setting that says where an operator acts, or None."""
    names = {field.name for field in dataclasses.fields(cast(Any, operator))}
    return next((name for name in _PLACES if name in names), None)


def sites_of(operator: AnyOperator, network: Network, kind: SiteKind, *, outputs: bool = True) -> list[Site]:
    """Return the sites at which an operator can act, in the network's order.

    A site is left out where the operator refuses it, as far as its proposal shows that; of a layer's units the first
    is asked.

    Args:
        operator: The operator; its own `where` says which tensors are considered.
        network: The network.
        kind: What a site is.
        outputs: Whether layers that make the outputs are sites, too.

    Raises:
        SelectionError: There is none; the first refusal says why.
        UnsupportedError: It cannot be seen which layers make the outputs.
    """
    if kind == "all":
        _refuse_without_choice(operator, network)
        return [Site()]
    apart = () if outputs else _outputs(network)
    found: list[Site] = []
    first: GenewrightError | None = None
    asked: dict[str | None, GenewrightError | None] = {}
    for site in _candidates(operator, network, kind):
        if site.layer in apart:
            continue
        key = site.layer if kind == "unit" else str(site)
        if key not in asked:
            asked[key] = _refusal(operator, site, network)
        first = first or asked[key]
        if asked[key] is None:
            found.append(site)
    if not found:
        name = type(operator).__name__
        why = "no layer fits that does not make the outputs (outputs=False)." if first is None else str(first)
        raise SelectionError(f"{name} has no site (sites={kind!r}) in this network: {why}")
    return found


def _refuse_without_choice(operator: AnyOperator, network: Network) -> None:
    """Refuse an operator that would let the seed choose, where there is nothing to choose from.

    Raises:
        SelectionError: It is so, whatever the seed.
    """
    try:
        if isinstance(operator, Operator) and not operator.donors():
            operator.resolve((network,), Noise(0, "/sites").salted(operator.name))
    except UnsupportedError as error:
        raise SelectionError(f"{type(operator).__name__} has no site in this network: {error}") from error


def _refusal(operator: AnyOperator, site: Site, network: Network) -> GenewrightError | None:
    try:
        settled = site.settle(operator)
    except GenewrightError as error:
        return error
    return refusal(settled, network, Noise(0, "/sites"))


def _outputs(network: Network) -> tuple[str, ...]:
    try:
        return output_layers(network)
    except UnsupportedError as error:
        raise UnsupportedError(
            f"Which layers make the outputs cannot be seen: {error} Write gw.Mutants(..., outputs=True) to take all."
        ) from error


def _candidates(operator: AnyOperator, network: Network, kind: SiteKind) -> Iterator[Site]:
    leaf = _leaf(operator)
    place = place_of(leaf)
    if place is None:
        raise SelectionError(
            f"{type(leaf).__name__} has no setting that says where it acts: it has no sites but sites='all'."
        )
    if place != "where" or "shape" not in leaf.claims():
        yield from (Site(layer=name, kind="layer") for name in network.layers if name)
        return
    owned: dict[str, list[str]] = {}
    for selected in cast(Where, getattr(leaf, "where")).select(network):  # noqa: B009
        owned.setdefault(selected.tensor.layer, []).append(selected.tensor.name)
    for layer, names in owned.items():
        if kind == "tensor":
            yield from (Site(layer=layer, tensors=(name,), kind="tensor") for name in names)
        elif kind == "unit":
            yield from _units(layer, names, network)
        else:
            yield Site(layer=layer, tensors=tuple(names), kind="layer")


def _units(layer: str, names: Sequence[str], network: Network) -> Iterator[Site]:
    counts = {name: units.count for name in names if (units := units_of(network.tensors[name], network)) is not None}
    if counts:
        count = max(counts.values())
        tensors = tuple(name for name in names if counts.get(name) == count)
        yield from (Site(layer=layer, tensors=tensors, unit=unit, kind="unit") for unit in range(count))


def _leaf(operator: AnyOperator) -> Operator:
    while isinstance(operator, Combinator):
        operator = operator.parts()[0]
    return operator


def _with_parts(operator: Combinator, site: Site) -> Combinator:
    """Return a combinator whose operators all act at a site."""
    changed: dict[str, Any] = {}
    for field in dataclasses.fields(cast(Any, operator)):
        value = getattr(operator, field.name)
        if isinstance(value, Operator | Combinator):
            changed[field.name] = site.settle(value)
        elif isinstance(value, tuple) and value and isinstance(value[0], Operator | Combinator):
            changed[field.name] = tuple(site.settle(part) for part in cast("tuple[AnyOperator, ...]", value))
    return dataclasses.replace(cast(Any, operator), **changed)
