"""Mutations: one operator, or several by name, whose success is counted and whose odds may follow it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from genewright.errors import SettingError
from genewright.evolution.individual import Individual
from genewright.noise import choice
from genewright.operator import AnyOperator, Combinator, Operator, operator_from_json
from genewright.seeding import Noise

_LEAST = 0.2  # of equal odds: what no mutation falls below, so that a late one still gets its chance
_MEMORY = 0.1  # of a new reward in the estimate of a mutation's quality


@dataclass
class Tally:
    """What became of one mutation's children.

    Attributes:
        tried: Children that it made and that were evaluated, or failed to be.
        succeeded: Those whose fitness exceeds their parent's.
        refused: Those that could not be made, for the mutation does not apply to their parent.
        quality: The mean of their successes (1 or 0), the recent ones weighing more.
    """

    tried: int = 0
    succeeded: int = 0
    refused: int = 0
    quality: float = 1.0


class Mutations:
    """The mutations of a run.

    Where the odds adapt, they follow by probability matching: with K mutations of quality q,
    p_a = p_min + (1 - K p_min) q_a / sum(q), and q_a += 0.1 (r - q_a) after each child, r = 1 where its fitness exceeds
    its parent's and else 0; p_min is a fifth of equal odds.

    Args:
        given: An operator, a combinator, or operators by name.
        adapt: The odds follow the successes; otherwise all are as likely.

    Raises:
        SettingError: Something is no operator, there is none, or one alone is to adapt.

    References:
        Thierens, "An adaptive pursuit strategy for allocating operator probabilities", GECCO 2005, section 2.1.
    """

    def __init__(self, given: AnyOperator | Mapping[str, AnyOperator], *, adapt: bool = False) -> None:
        self.adapt = adapt
        self.operators = _named(given)
        self.tallies = {name: Tally() for name in self.operators}
        if adapt and len(self.operators) < 2:
            raise SettingError(
                "adapt=True chooses among several mutations; received one. "
                "Write mutation={'noise': gw.GaussianNoise(std=0.01), 'zero': gw.Zero(rate=0.01)}."
            )

    def odds(self) -> dict[str, float]:
        """Return the probability of each mutation, by its name."""
        count = len(self.operators)
        total = sum(tally.quality for tally in self.tallies.values())
        if not self.adapt or not total:
            return dict.fromkeys(self.operators, 1 / count)
        least = _LEAST / count
        return {name: least + (1 - _LEAST) * tally.quality / total for name, tally in self.tallies.items()}

    def draw(self, noise: Noise) -> tuple[str, AnyOperator]:
        """Draw a mutation; return its name ("" where there is one) and its operator."""
        names = list(self.operators)
        if len(names) == 1:
            return names[0], self.operators[names[0]]
        odds = self.odds()
        name = names[choice(noise.stream("mutation"), [odds[name] for name in names])]
        return name, self.operators[name]

    def learn(self, name: str, *, success: bool) -> None:
        """Take in whether a child of the mutation called `name` exceeded its parent."""
        tally = self.tallies[name]
        tally.tried += 1
        tally.succeeded += success
        tally.quality += _MEMORY * (success - tally.quality)

    def refused(self, individuals: Sequence[Individual], *, warn: bool) -> None:
        """Count refusals.

        Args:
            individuals: Those of a generation.
            warn: Warn of a mutation that was tried more than once and refused each time.
        """
        for name, tally in self.tallies.items():
            mine = [one for one in individuals if one.mutation == name and one.genome.operator is not None]
            lost = [one for one in mine if one.status == "refused"]
            tally.refused += len(lost)
            if warn and 1 < len(mine) == len(lost):
                warnings.warn(
                    f"The mutation {name!r} does not apply: {len(lost)} of {len(mine)} of its individuals were "
                    f"refused. The first refusal: {lost[0].error}",
                    stacklevel=2,
                )

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads; the successes are not part of it."""
        return {"operators": {name: one.to_json() for name, one in self.operators.items()}, "adapt": self.adapt}

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> Mutations:
        """Read what `to_json` wrote."""
        operators = {str(name): operator_from_json(one) for name, one in form["operators"].items()}
        return cls(operators[""] if list(operators) == [""] else operators, adapt=bool(form["adapt"]))


def _named(given: Any) -> dict[str, AnyOperator]:
    named: dict[Any, Any] = dict(cast("Mapping[Any, Any]", given)) if isinstance(given, Mapping) else {"": given}
    if not named:
        raise SettingError("mutation= holds no operator. Write mutation=gw.GaussianNoise(std=0.01).")
    for name, operator in named.items():
        if not isinstance(operator, Operator | Combinator) or not isinstance(name, str):
            hint = " Make one of the class, with its settings." if isinstance(operator, type) else ""
            raise SettingError(
                "mutation= is an operator such as gw.GaussianNoise(std=0.01), or a dict of operators by name; received "
                f"{operator!r}{'' if isinstance(name, str) else f' under {name!r}'}.{hint}"
            )
    return named
