"""What the ways into a mutation do with one operator on one network, in a form that can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import genewright as gw
from genewright.backends import backend_of
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
    return step.with_(parents=("", *step.parents[1:]), result=None, trained_from=None, form=None)


def attributes(model: Any) -> dict[str, Any]:
    """Return the plain attributes of every layer of a torch module, and those of configs in them, as copies."""
    if not hasattr(model, "named_modules"):
        return {}
    found: dict[str, Any] = {}
    for name, module in model.named_modules():
        for key, value in vars(module).items():
            held = vars(value) if type(value).__name__ == "Config" else value
            if isinstance(held, int | float | str | tuple | list | dict | None) and not key.startswith("_"):
                found[f"{name}.{key}"] = repr(held)
    return found


def state(case: Case, model: Any) -> tuple[Any, ...]:
    """Return all that has to be back after an undo: bytes, traits (modes, ties, hooks), attributes, the recipe."""
    history = backend_of(model).history(model)
    return case.content(model), case.traits(model), attributes(model), repr(model), history


def added(base: Any, mutant: Any) -> tuple[Any, ...]:
    """Return the steps that a mutant's recipe has beyond its base's."""
    before = gw.recipe(base).steps if backend_of(base).history(base) else ()
    after = gw.recipe(mutant).steps
    assert after[: len(before)] == before
    return tuple(map(bare, after[len(before) :]))


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
    return Accepted(added(case.model, mutant), case.content(mutant))


def mutated_in_place(case: Case, operator: Any, **arguments: Any) -> Outcome:
    model = case.fresh()
    before = state(case, model)
    try:
        assert gw.mutate(model, operator, example=case.example, inplace=True, **arguments) is model
    except gw.GenewrightError as error:
        assert state(case, model) == before, "a refusal leaves everything"
        return Refused(type(error), str(error))
    return Accepted(added(case.model, model), case.content(model))


def mutated_for_a_block(case: Case, operator: Any, **arguments: Any) -> Outcome:
    """The bytes inside the block; no recipe is written there."""
    model = case.fresh()
    before = state(case, model)
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
    assert state(case, model) == before, "everything is back"
    return made


def agree(case: Case, operator: Any, *, seed: Any = 1, **arguments: Any) -> Outcome:
    """Require that all ways agree: what they refuse, with which words; which steps they make, and which bytes.

    Returns:
        What they did.
    """
    before = state(case, case.model)
    plan = planned(case, operator, seed=seed, **arguments)
    copied = mutated_copy(case, operator, seed=seed, **arguments)
    assert state(case, case.model) == before, "the input is as it was"
    placed = mutated_in_place(case, operator, seed=seed, **arguments)
    block = mutated_for_a_block(case, operator, seed=seed, **arguments)
    if isinstance(copied, Refused):
        assert plan == copied, f"plan: {plan}; mutate: {copied}"
        assert placed == copied, f"in place: {placed}; copied: {copied}"
        assert block == copied, f"block: {block}; copied: {copied}"
        return copied
    assert isinstance(plan, Accepted), f"the plan was refused: {plan}"
    assert isinstance(block, Accepted), f"for a block it was refused: {block}"
    assert plan.steps == copied.steps
    assert [s.to_json() for s in plan.steps] == [s.to_json() for s in copied.steps]
    assert placed == copied
    assert block.content == copied.content
    return copied
