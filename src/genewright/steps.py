"""From operators to steps, and steps carried out: propose, check, apply, look at the outputs; or take all back."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from genewright.apply import Companion, Journal, apply, can_fail_late, changes_form, check
from genewright.backends import Backend
from genewright.edit import Edit, structural
from genewright.errors import SettingError, UnsupportedError
from genewright.keeping import check_change
from genewright.network import Network
from genewright.operator import AnyOperator, Combinator, Operator
from genewright.recipe import Step
from genewright.seeding import Noise
from genewright.witness import Witness

Operators = AnyOperator | Sequence[AnyOperator]

_LOG = logging.getLogger("genewright")


def as_operators(operator: Operators) -> tuple[AnyOperator, ...]:
    """Return one operator, or several, as a tuple.

    Raises:
        SettingError: There is none, or something else is among them.
    """
    operators: tuple[Any, ...] = tuple(operator) if isinstance(operator, Iterable) else (operator,)
    for one in operators:
        if not isinstance(one, Operator | Combinator):
            hint = " Make one of the class, with its settings." if isinstance(one, type) else ""
            raise SettingError(f"Expected an operator such as gw.GaussianNoise(std=0.01); received {one!r}.{hint}")
    if not operators:
        raise SettingError("Expected at least one operator; received none.")
    return operators


def is_long(operator: Operators) -> bool:
    """Whether it may make several steps."""
    operators = as_operators(operator)
    return len(operators) > 1 or any(isinstance(one, Combinator) for one in operators)


def steps_of(operators: Iterable[AnyOperator], noise: Noise) -> Iterator[tuple[Step, Noise]]:
    """Resolve combinators to the operators that act, each with its place and its noise."""
    for position, operator in enumerate(operators):
        yield from _resolved(operator, noise.child(position))


def _resolved(operator: AnyOperator, noise: Noise) -> Iterator[tuple[Step, Noise]]:
    salted = noise.salted(operator.name)
    if isinstance(operator, Operator):
        yield Step(operator, noise.seed, noise.path), salted
        return
    for place, child in operator.choose(salted):
        yield from _resolved(child, noise.child(place))


def proposed(
    backend: Backend, model: Any, step: Step, noise: Noise, example: Any
) -> tuple[Step, tuple[Edit, ...], Network]:
    """Return the step as the recipe will hold it, its edits, and the view that they were proposed for."""
    network = backend.network(model, example)
    operator = step.operator.settled(network, noise)
    edits = tuple(operator.propose(network, noise))
    check(edits, network)
    return Step(operator, step.seed, step.path, structural(edits)), edits, network


def witness_after(backend: Backend, model: Any, example: Any, step: Step) -> Witness:
    """Return the outputs of what a step has made."""
    try:
        return backend.witness(model, example)
    except UnsupportedError as error:
        who = type(step.operator).__name__
        raise UnsupportedError(
            f"{who}: the model would not run any more ({error.__cause__}). Refused; nothing has been changed."
        ) from error


def perform(
    backend: Backend,
    model: Any,
    steps: Iterable[tuple[Step, Noise]],
    *,
    journal: Journal | None = None,
    sequel: bool = False,
    example: Any = None,
    companion: Companion | None = None,
) -> tuple[Step, ...]:
    """Apply steps in order; a failure takes back what `journal` holds.

    All refusals of a step that changes only values come before its first edit. So a journal is needed only where an
    earlier step has been applied already (`sequel`), where layers or shapes change, where a function that an operator
    wrote runs after the first edit, where the outputs are checked afterwards, or where the caller wants to undo.
    """
    journal = Journal() if journal is None and (sequel or companion is not None) else journal
    done: list[Step] = []
    last: int | None = None  # the last step that changed layers or shapes
    try:
        for asked, noise in steps:
            step, edits, network = proposed(backend, model, asked, noise, example)
            reformed = changes_form(edits, network)
            watched = example is not None and ("function" in step.operator.claims() or reformed)
            if journal is None and (watched or can_fail_late(edits, network)):
                journal = Journal()
            before = backend.witness(model, example) if watched else None
            rounds = watched and step.operator.rounds(network)  # asked while the network is as it was
            apply(edits, backend.store(model, companion), journal)
            twins = companion.twins if companion is not None and reformed else ()
            for twin in twins:
                apply(edits, backend.store(twin), journal)
            if before is not None:
                after = witness_after(backend, model, example, step)
                check_change(step.operator, before, after, rounds=rounds)
            done.append(step)
            if reformed:
                last = len(done) - 1
        if last is not None:
            said = backend.declared(model, example)
            for described_model in (model, *(companion.twins if companion is not None else ())):
                apply(said.edits, backend.store(described_model), journal)
            done[last] = replace(done[last], structure=(*done[last].structure, *said.edits))
            if said.note:
                _LOG.info("%s: %s", type(done[last].operator).__name__, said.note)
        if companion is not None and journal is not None:
            journal.add(companion.finish())
    except BaseException:
        if journal is not None:
            journal.restore()
        raise
    return tuple(done)
