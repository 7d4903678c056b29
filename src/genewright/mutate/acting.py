"""What the ways to mutate share: operators that act in order, the copy that they act on, what moves along."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from genewright.backends import Backend
from genewright.companion import Companion
from genewright.errors import SettingError, UnsupportedError
from genewright.interrupts import hearing, shielded
from genewright.operator import AnyOperator, Combinator, Operator, OperatorLike
from genewright.seeding import Noise
from genewright.transaction import Transaction

Operators = OperatorLike | Iterable[OperatorLike]
Model = TypeVar("Model")
CALL = "gw.{}(model, gw.GaussianNoise(std=0.01), seed=246)"
_COPIED, _CHANGED = 0.25, 0.75  # shares of the work of a mutation in place of which nothing else is known


@shielded
def act(change: Transaction, operators: tuple[AnyOperator, ...], noise: Noise) -> None:
    """Let operators act in order; combinators choose when their turn comes, and see the network then."""
    more = len(operators) > 1 or any(isinstance(one, Combinator) for one in operators)
    for position, operator in enumerate(operators):
        change.meter.within(*share_of(position, len(operators)))
        for leaf, own in _resolved(change, operator, noise.child(position)):
            change.step(leaf, own, more=more)
    change.finish()


def share_of(step: int, steps: int) -> tuple[float, float]:
    """Return where a step begins and ends in the work: a copy comes before the first, hashes after the last."""
    return _COPIED + (_CHANGED - _COPIED) * step / steps, _COPIED + (_CHANGED - _COPIED) * (step + 1) / steps


def _resolved(change: Transaction, operator: AnyOperator, noise: Noise) -> Iterator[tuple[Operator, Noise]]:
    salted = noise.salted(operator.name)
    if isinstance(operator, Operator):
        yield operator, salted
        return
    for place, child in operator.choose(change.network, salted):
        yield from _resolved(change, child, noise.child(place))


@hearing
def copy_of(backend: Backend, model: Any) -> Any:
    """Return a copy of the model, which will be the mutant."""
    return backend.copy(model)


def same_if(inplace: bool, made: Any, model: Any) -> Any:
    """Return the mutant; where it was to be made in place, hold the framework to that.

    Raises:
        UnsupportedError: Models of this kind cannot change, so the mutant is another object.
    """
    if inplace and made is not model:
        raise UnsupportedError(
            f"A {type(model).__name__} cannot change in place: a mutant is a new object. Leave out inplace=True."
        )
    return made


def companion_of(backend: Backend, model: Any, optimizer: Any, *, inplace: bool) -> Companion | None:
    """Return what holds the optimizers and averages that move along; None where none was given.

    Raises:
        SettingError: The mutant is a copy, of which they know nothing.
    """
    if optimizer is None:
        return None
    if not inplace:
        raise SettingError(
            "optimizer= holds the parameters of the model itself, so the mutation must be in place: "
            "gw.mutate(..., inplace=True, optimizer=optimizer). To keep the original, copy both together first: "
            "model, optimizer = copy.deepcopy((model, optimizer))."
        )
    return backend.companion(model, optimizer)
