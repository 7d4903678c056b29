"""plan, mutate, mutated (undo), replay: the one path by which networks change."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from genewright.apply import Companion, Journal, apply_one, changes_form, remember
from genewright.backends import Backend, backend_of
from genewright.edit import Reindex
from genewright.errors import FingerprintError, RecipeError, SettingError
from genewright.fingerprint import fingerprint_of
from genewright.keeping import check_change
from genewright.plan import Plan, PlannedEdit, PlannedStep, described
from genewright.recipe import Recipe, Step
from genewright.seeding import Noise, Seed, seed_required
from genewright.steps import Operators, as_operators, is_long, perform, proposed, steps_of, witness_after
from genewright.witness import largest_change

Model = TypeVar("Model")
_CALL = "gw.{}(model, gw.GaussianNoise(std=0.01), seed=246)"


@seed_required(_CALL.format("mutate"))
def mutate(
    model: Model,
    operator: Operators,
    *,
    seed: Seed,
    example: Any = None,
    inplace: bool = False,
    optimizer: Any = None,
) -> Model:
    """Return a mutant of `model`, of the same class, that carries its recipe.

    Args:
        model: A torch module, a Keras model, or a checkpoint.
        operator: An operator, or several that act in order.
        seed: An int, str or bytes. The same base, operator and seed give the same bytes, anywhere.
        example: A sample input: a tensor or array, a tuple of positional or a dict of keyword arguments. Architecture
            operators need it. Where it is given, an operator that claims to keep the function is held to it: if the
            outputs differ, the mutation is refused.
        inplace: Change `model` itself instead of a copy.
        optimizer: The optimizer that trains `model`; it needs `inplace`, for it holds `model`'s own parameters. Its
            state moves along with what moves; new parameters join the group of their neighbours. An averaged copy of
            the model (`torch.optim.swa_utils.AveragedModel`, or any module with the same tensors) grows alike where
            layers or shapes change. A list takes several of both.

    Returns:
        The mutant; `model` itself where `inplace`.

    Raises:
        GenewrightError: The mutation is refused. Nothing has been changed then.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(3, 2)
        >>> mutant = gw.mutate(net, gw.GaussianNoise(std=10, rate=0.3), seed=246)
        >>> gw.recipe(mutant).steps[0].seed
        246
    """
    steps = steps_of(as_operators(operator), Noise(seed))
    backend = backend_of(model)
    base = fingerprint_of(backend.network(model))
    companion = _companion(backend, model, optimizer, inplace=inplace)
    target = model if inplace else backend.copy(model)
    done = perform(backend, target, steps, sequel=inplace and is_long(operator), example=example, companion=companion)
    _sign(backend, target, base, done)
    return target


@seed_required(_CALL.format("plan"))
def plan(
    model: Any,
    operator: Operators,
    *,
    seed: Seed,
    example: Any = None,
    inplace: bool = False,
    optimizer: Any = None,
) -> Plan:
    """Say what `mutate` would change, tensor by tensor, without changing anything.

    Args:
        model: As in `mutate`.
        operator: As in `mutate`.
        seed: As in `mutate`.
        example: As in `mutate`.
        inplace: What ``.apply()`` does.
        optimizer: What ``.apply()`` hands on.

    Returns:
        A plan; print it to read it, and call ``.apply()`` for the mutant.

    Raises:
        GenewrightError: The mutation would be refused.

    Example:
        >>> import torch, genewright as gw
        >>> print(gw.plan(torch.nn.Linear(3, 2), gw.Zero(rate=0.5), seed=1).steps[0].lines[0].tensor)
        weight
    """
    operators = as_operators(operator)
    backend = backend_of(model)
    base = fingerprint_of(backend.network(model))
    companion = _companion(backend, model, optimizer, inplace=True)
    resized: dict[str, None] = {}
    # Only a later step can see what an earlier one did: one step needs no scratch copy.
    scratch = backend.copy(model) if is_long(operator) else model
    planned: list[PlannedStep] = []
    last: int | None = None  # the last step that changed layers or shapes
    for step, noise in steps_of(operators, Noise(seed)):
        step, edits, network = proposed(backend, scratch, step, noise, example)
        if scratch is model and changes_form(edits, network):
            scratch = backend.copy(model)
        store = backend.store(scratch)
        lines: list[PlannedEdit] = []
        reformed = changes_form(edits, network)
        watched = example is not None and reformed
        before = backend.witness(scratch, example) if watched else None
        rounds = watched and step.operator.rounds(network)  # asked while the network is as it was
        for edit in edits:
            lines.append(described(edit, store))
            if isinstance(edit, Reindex):
                resized.setdefault(edit.tensor)
            if scratch is not model:
                apply_one(edit, store)
        store.finish()
        change = None
        if before is not None:
            after = witness_after(backend, scratch, example, step)
            check_change(step.operator, before, after, rounds=rounds)
            change = largest_change(before, after)
        planned.append(PlannedStep(step, tuple(lines), change))
        if reformed:
            last = len(planned) - 1
    if last is not None:
        said = backend.declared(scratch, example)
        lines = [described(edit, backend.store(scratch)) for edit in said.edits]
        held = [name for name in resized if name in backend.network(model).tensors]
        notes = [said.note] if said.note else []
        notes += companion.foreseen(held) if companion is not None else []
        planned[last] = replace(planned[last], lines=(*planned[last].lines, *lines), note=" ".join(notes))
    return Plan(
        base=base,
        steps=tuple(planned),
        trainable=sum(t.size for t in backend.network(model).tensors.values() if t.trainable),
        inplace=inplace,
        mutate=lambda inplace: mutate(
            model, operators, seed=seed, example=example, inplace=inplace, optimizer=optimizer
        ),
    )


@seed_required("with " + _CALL.format("mutated") + " as mutant: ...")
@contextmanager
def mutated(
    model: Model, operator: Operators, *, seed: Seed, example: Any = None, optimizer: Any = None
) -> Generator[Model]:
    """Mutate `model` in place for the length of a ``with`` block; afterwards every byte is back.

    Nothing is subtracted: the old values are kept aside, only those that change where the rate is low. Running
    statistics and other buffers that forward passes move inside the block are put back too; training steps on the
    parameters inside the block are not undone.

    Args:
        model: As in `mutate`.
        operator: As in `mutate`.
        seed: As in `mutate`.
        example: As in `mutate`.
        optimizer: As in `mutate`; its state too is back afterwards.

    Yields:
        `model`, mutated.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(3, 2)
        >>> with gw.mutated(net, gw.Zero(rate=1.0), seed=1) as zeroed:
        ...     zeroed.weight.abs().sum().item()
        0.0
    """
    backend = backend_of(model)
    journal = Journal()
    steps = steps_of(as_operators(operator), Noise(seed))
    remember(backend.network(model), backend.store(model), journal)
    try:
        companion = _companion(backend, model, optimizer, inplace=True)
        perform(backend, model, steps, journal=journal, example=example, companion=companion)
        yield model
    finally:
        journal.restore()


def replay(recipe: Recipe, base: Model, *, example: Any = None, inplace: bool = False, optimizer: Any = None) -> Model:
    """Make the mutant again that `recipe` describes, byte for byte.

    Args:
        recipe: From `gw.recipe(mutant)`, `Recipe.load` or `Recipe.from_json`.
        base: The network that the recipe starts from.
        example: A sample input, for steps that have to see how the model computes.
        inplace: Change `base` itself instead of a copy.
        optimizer: As in `mutate`.

    Raises:
        FingerprintError: `base` is not the recipe's base, or the result differs from the recorded one; the message
            says whose fingerprint differs. Nothing has been changed then.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(3, 2)
        >>> mutant = gw.mutate(net, gw.SignFlip(rate=0.5), seed=1)
        >>> gw.fingerprint(gw.replay(gw.recipe(mutant), net)) == gw.fingerprint(mutant)
        True
    """
    backend = backend_of(base)
    found = fingerprint_of(backend.network(base))
    if found != recipe.base:
        raise FingerprintError(
            f"The base differs: the recipe starts from {recipe.base}, and this network is {found}. "
            "Give the network that the recipe was made from."
        )
    companion = _companion(backend, base, optimizer, inplace=inplace)
    target = base if inplace else backend.copy(base)
    journal = Journal() if inplace else None
    try:
        done = perform(
            backend,
            target,
            [(s, Noise(s.seed, s.path, s.operator.name)) for s in recipe.steps],
            journal=journal,
            example=example,
            companion=companion,
        )
        result = fingerprint_of(backend.network(target))
        if result != recipe.result:
            raise FingerprintError(
                f"The result differs: the recipe leads to {recipe.result}, and the replay gave {result}. "
                "The recipe was edited, or an operator in it is of another version."
            )
    except BaseException:
        if journal is not None:
            journal.restore()
        raise
    _sign(backend, target, found, done, result=result)
    return target


def fingerprint(model: Any) -> str:
    """Return the fingerprint of a network: names, shapes, dtypes and bytes of all tensors.

    Running statistics are included; device, memory layout and the order of tensors do not matter.

    Example:
        >>> import torch, genewright as gw
        >>> gw.fingerprint(torch.nn.Linear(3, 2)).startswith("b3:")
        True
    """
    return fingerprint_of(backend_of(model).network(model))


def recipe(mutant: Any) -> Recipe:
    """Return the recipe that a mutant carries.

    Raises:
        RecipeError: The model is not a mutant.
    """
    text = backend_of(mutant).recipe_text(mutant)
    if text is None:
        raise RecipeError("This model carries no recipe: it is not a mutant made by gw.mutate or gw.replay.")
    return Recipe.from_json(text)


def _companion(backend: Backend, model: Any, optimizer: Any, *, inplace: bool) -> Companion | None:
    if optimizer is None:
        return None
    if not inplace:
        raise SettingError(
            "optimizer= holds the parameters of the model itself, so the mutation must be in place: "
            "gw.mutate(..., inplace=True, optimizer=optimizer). To keep the original, copy both together first: "
            "model, optimizer = copy.deepcopy((model, optimizer))."
        )
    return backend.companion(model, optimizer)


def _sign(backend: Backend, model: Any, base: str, steps: tuple[Step, ...], *, result: str | None = None) -> None:
    """Leave the recipe on the mutant; a mutant of an unchanged mutant continues its recipe."""
    result = result or fingerprint_of(backend.network(model))
    text = backend.recipe_text(model)
    before = None if text is None else Recipe.from_json(text)
    if before is not None and before.result == base:
        made = Recipe(base=before.base, steps=before.steps + steps, result=result, parent=before.parent)
    else:
        made = Recipe(base=base, steps=steps, result=result, parent=before)
    backend.set_recipe_text(model, made.to_json())
