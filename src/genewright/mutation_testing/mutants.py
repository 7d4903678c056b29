"""Mutants: which mutants a campaign makes, as a specification; and the i-th of them, a function of it and the seed."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from genewright.backends import backend_of
from genewright.calls import Answering
from genewright.errors import RecipeError, SelectionError, SettingError
from genewright.mutation_testing.site import SITE_KINDS, Site, SiteKind, sites_of
from genewright.network import Network
from genewright.noise import permutation
from genewright.operator import AnyOperator, as_operators, operator_from_json
from genewright.seeding import Noise, Seed
from genewright.settings import check_choice

_SETTLED = 1024  # operators that are kept as they act at a site, for mutants come back to it


@dataclass(frozen=True)
class Mutants(metaclass=Answering):
    """Which mutants to make: operators, and the sites at which they act one at a time.

    Mutant i is a function of this specification, the network's form and the seed, and of nothing else: so a set of
    mutants can be planned, shared out and made larger, and the earlier ones stay what they were. Operators take turns;
    an operator's sites come in an order that the seed draws, each once before one comes again.

    Args:
        operators: One operator or several; combinators too. Each keeps its own `where`, which bounds its sites.
        sites: What a mutant changes: the tensors of one "layer", one "tensor", one "unit" of a layer, or "all" that
            the operator chooses. One word for all operators, or one for each.
        exhaustive: Every operator once at every of its sites, in order, instead of `count` drawn ones.
        outputs: Whether layers that make the network's outputs are sites, too. Seen on the data where false.

    Raises:
        SettingError: There is no operator, or `sites` is none of these words or does not fit the operators' number.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
        >>> mutants = gw.Mutants((gw.Zero(count=1), gw.BitFlip(count=1)), sites="layer")
        >>> planned = mutants.planned(net, seed=1)
        >>> [type(planned.mutant(i).operator).__name__ for i in range(4)]
        ['Zero', 'BitFlip', 'Zero', 'BitFlip']
        >>> planned.mutant(3) == mutants.planned(net, seed=1).mutant(3)
        True
    """

    operators: tuple[AnyOperator, ...]
    sites: SiteKind | tuple[SiteKind, ...] = "layer"
    exhaustive: bool = False
    outputs: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "operators", as_operators("Mutants", self.operators))
        kinds = (self.sites,) if isinstance(self.sites, str) else tuple(cast("Iterable[Any]", self.sites))
        for kind in kinds:
            check_choice(self, "sites", kind, SITE_KINDS)
        if not isinstance(self.sites, str):
            object.__setattr__(self, "sites", kinds)
            if len(kinds) != len(self.operators):
                raise SettingError(
                    f"Mutants: sites is one word, or one for each of the {len(self.operators)} operators; received "
                    f"{len(kinds)}."
                )

    def __add__(self, other: Mutants) -> Mutants:
        """Return the specification that has the operators of both.

        Raises:
            SettingError: Only one of them is exhaustive, or takes output layers.
        """
        if (self.exhaustive, self.outputs) != (other.exhaustive, other.outputs):
            raise SettingError("Mutants: both have to agree in `exhaustive` and in `outputs`.")
        return Mutants((*self.operators, *other.operators), (*self.kinds, *other.kinds), self.exhaustive, self.outputs)

    @property
    def kinds(self) -> tuple[SiteKind, ...]:
        """What a site is, for each operator."""
        return (self.sites,) * len(self.operators) if isinstance(self.sites, str) else self.sites

    def planned(self, model: Any, *, seed: Seed, example: Any = None) -> PlannedMutants:
        """Return the mutants of a model, to be asked for by number.

        Args:
            model: The model.
            seed: The campaign's seed.
            example: A sample input, for operators that have to see the model run, and where `outputs` is false.

        Raises:
            SelectionError: No operator has a site.
        """
        return PlannedMutants(self, backend_of(model).network(model, example), seed)

    def to_json(self) -> dict[str, Any]:
        """Return the specification as JSON holds it."""
        return {
            "operators": [operator.to_json() for operator in self.operators],
            "sites": list(self.kinds),
            "exhaustive": self.exhaustive,
            "outputs": self.outputs,
        }

    @classmethod
    def from_json(cls, form: Any) -> Mutants:
        """Read what `to_json` wrote.

        Raises:
            RecipeError: It is damaged.
        """
        entries = dict(cast("Mapping[str, Any]", form)) if isinstance(form, Mapping) else {}
        if not isinstance(entries.get("operators"), list):
            raise RecipeError(f"A specification of mutants is an object with operators; received {str(entries)[:80]}.")
        return cls(
            tuple(operator_from_json(operator) for operator in entries["operators"]),
            tuple(entries.get("sites", ())),
            bool(entries.get("exhaustive")),
            bool(entries.get("outputs")),
        )


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One mutant of a set: what makes it.

    Attributes:
        number: Its number in the set, from 0.
        of: Number of its operator in the specification.
        operator: The operator, settled at the site.
        site: The site.
        noise: Its noise; the seed and the path stand in its recipe.
    """

    number: int
    of: int
    operator: AnyOperator
    site: Site
    noise: Noise


class PlannedMutants:
    """The mutants of a specification on one network; made by `Mutants.planned`.

    Attributes:
        mutants: The specification.
        left_out: By the number of an operator without any site here, why that is.
    """

    def __init__(self, mutants: Mutants, network: Network, seed: Seed) -> None:
        self.mutants = mutants
        self.left_out: dict[int, str] = {}
        self._noise = Noise(seed, "/mutants")
        self._sites: dict[int, list[Site]] = {}
        for at, (operator, kind) in enumerate(zip(mutants.operators, mutants.kinds, strict=True)):
            try:
                self._sites[at] = sites_of(operator, network, kind, outputs=mutants.outputs)
            except SelectionError as error:
                self.left_out[at] = str(error)
        if not self._sites:
            raise SelectionError("Mutants: no operator has a site. " + " ".join(self.left_out.values()))
        self._order = tuple(self._sites)
        self._settled = functools.lru_cache(maxsize=_SETTLED)(self._at_site)
        self._orders = functools.lru_cache(maxsize=4 * len(self._order))(self._drawn)

    def __len__(self) -> int:
        """Return how many there are where the specification is exhaustive: operators times their sites."""
        return sum(map(len, self._sites.values()))

    def mutant(self, number: int) -> Mutant:
        """Return the mutant of this number.

        Raises:
            SettingError: The specification is exhaustive, and has fewer.
        """
        if self.mutants.exhaustive:
            of, site = self._enumerated(number)
        else:
            turn, place = divmod(number, len(self._order))
            of = self._order[place]
            rounds, at = divmod(turn, len(self._sites[of]))
            site = self._sites[of][self._orders(of, rounds)[at]]
        operator = self._settled(of, site)
        return Mutant(number=number, of=of, operator=operator, site=site, noise=self._noise.child(number))

    def _at_site(self, of: int, site: Site) -> AnyOperator:
        return site.settle(self.mutants.operators[of])

    def _enumerated(self, number: int) -> tuple[int, Site]:
        left = number
        for of, sites in self._sites.items():
            if left < len(sites):
                return of, sites[left]
            left -= len(sites)
        raise SettingError(f"Mutants: there are {len(self)} of them, numbered from 0; received {number}.")

    def _drawn(self, of: int, rounds: int) -> tuple[int, ...]:
        if len(self._sites[of]) == 1:
            return (0,)  # the whole network: another round a mutant, and nothing to draw
        stream = self._noise.child("sites").child(of).stream(str(rounds))
        return tuple(int(at) for at in permutation(stream, len(self._sites[of])))
