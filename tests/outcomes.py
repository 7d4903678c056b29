"""What the ways into a mutation do with one operator on one network, in a form that can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import genewright as gw
from genewright.conformance.cases import Case


@dataclass(frozen=True)
class Refused:
    """A refusal: what kind of error, in which words."""

    kind: type[gw.GenewrightError]
    words: str


@dataclass(frozen=True)
class Accepted:
    """The steps that were planned or recorded, without their place in a history; and the bytes, where there are any."""

    steps: tuple[Any, ...]
    content: dict[str, bytes] | None = None


Outcome = Refused | Accepted


def bare(step: Any) -> Any:
    """Return a step without what only signing knows."""
    return step.with_(parents=("", *step.parents[1:]), result=None, trained_from=None)


def planned(case: Case, operator: Any, *, model: Any = None, **arguments: Any) -> Outcome:
    try:
        plan = gw.plan(case.model if model is None else model, operator, example=case.example, **arguments)
    except gw.GenewrightError as error:
        return Refused(type(error), str(error))
    str(plan)  # what was planned can be read
    return Accepted(tuple(bare(done.step) for done in plan.steps))


def mutated_copy(case: Case, operator: Any, **arguments: Any) -> Outcome:
    try:
        mutant = gw.mutate(case.model, operator, example=case.example, **arguments)
    except gw.GenewrightError as error:
        return Refused(type(error), str(error))
    return Accepted(tuple(map(bare, gw.recipe(mutant).steps)), case.content(mutant))


def mutated_in_place(case: Case, operator: Any, **arguments: Any) -> Outcome:
    model = case.fresh()
    before = case.content(model), case.traits(model)
    try:
        assert gw.mutate(model, operator, example=case.example, inplace=True, **arguments) is model
    except gw.GenewrightError as error:
        assert (case.content(model), case.traits(model)) == before, "a refusal leaves everything"
        return Refused(type(error), str(error))
    return Accepted(tuple(map(bare, gw.recipe(model).steps)), case.content(model))


def mutated_for_a_block(case: Case, operator: Any, **arguments: Any) -> Outcome:
    """The bytes inside the block; no recipe is written there."""
    model = case.fresh()
    before = case.content(model), case.traits(model), repr(model)
    inside = None
    try:
        with gw.mutated(model, operator, example=case.example, **arguments) as mutant:
            assert mutant is model
            inside = case.content(model)
    except gw.GenewrightError as error:
        assert inside is None
        made: Outcome = Refused(type(error), str(error))
    else:
        made = Accepted((), inside)
    assert (case.content(model), case.traits(model), repr(model)) == before, "everything is back"
    return made


def agree(case: Case, operator: Any, *, seed: Any = 1, **arguments: Any) -> Outcome:
    """Require that all ways agree: what they refuse, with which words; which steps they make, and which bytes.

    Returns:
        What they did.
    """
    content = case.content(case.model)
    plan = planned(case, operator, seed=seed, **arguments)
    copied = mutated_copy(case, operator, seed=seed, **arguments)
    assert case.content(case.model) == content, "the input is as it was"
    placed = mutated_in_place(case, operator, seed=seed, **arguments)
    block = mutated_for_a_block(case, operator, seed=seed, **arguments)
    if isinstance(copied, Refused):
        assert plan == copied
        assert placed == copied
        assert block == copied
        return copied
    assert isinstance(plan, Accepted), f"the plan was refused: {plan}"
    assert isinstance(block, Accepted), f"for a block it was refused: {block}"
    assert plan.steps == copied.steps
    assert [s.to_json() for s in plan.steps] == [s.to_json() for s in copied.steps]
    assert placed == copied
    assert block.content == copied.content
    return copied
