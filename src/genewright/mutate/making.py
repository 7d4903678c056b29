"""mutate, and plan: the same work, without anything that changes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from genewright.backends import backend_of
from genewright.donors import Donors
from genewright.edits import Gather
from genewright.mutate.acting import CALL, Model, Operators, act, companion_of, copy_of, same_if
from genewright.named import operators_for
from genewright.network import Network
from genewright.plan import Plan
from genewright.seeding import Noise, Seed, seed_required
from genewright.showing import Meter
from genewright.transaction import Transaction
from genewright.where import said_state


@seed_required(CALL.format("mutate"))
def mutate(
    model: Model,
    operator: Operators,
    *,
    seed: Seed,
    example: Any = None,
    inplace: bool = False,
    optimizer: Any = None,
    donors: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> Model:
    """Return a mutant of `model`, of the same class, that carries its recipe.

    Args:
        model: A torch module, a Keras model, or a checkpoint.
        operator: An operator, or several that act in order.
        seed: An int, str or bytes. The same base, operator and seed give the same bytes, anywhere.
        example: A sample input: a tensor or array, a tuple of positional or a dict of keyword arguments. Architecture
            operators need it. Where it is given, an operator that claims to keep the function is held to it: if the
            outputs differ, the mutation is refused. A list of two or more tuples or dicts is several samples, which
            reach different layers: widths are followed through all of their runs, and the outputs of all are compared.
        inplace: Change `model` itself instead of a copy.
        optimizer: The optimizer that trains `model`; it needs `inplace`, for it holds `model`'s own parameters. Its
            state moves along with what moves; new parameters join the group of their neighbours. Where none is given,
            one that was made before says at its next step what it does not train. An averaged copy of the model
            (`torch.optim.swa_utils.AveragedModel`, or any module with the same tensors) grows alike where
            layers or shapes change. A list takes several of both.
        donors: Networks that weights may come from, by the name that the operator says: models, state dicts,
            checkpoints or their paths.
        progress: Show how much is done and how long the rest will take: on standard error, or under a notebook's cell.

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
    backend = backend_of(model)
    operators = operators_for(model, operator, "gw.mutate")
    companion = companion_of(backend, model, optimizer, inplace=inplace)
    with Meter("gw.mutate", progress) as meter:
        target = model if inplace else copy_of(backend, model)
        known = Donors(donors, changing=model if inplace else None, operators=operators, example=example)
        with Transaction(
            backend, target, example=example, donors=known, companion=companion, inplace=inplace, meter=meter
        ) as change:
            act(change, operators, Noise(seed))
            return same_if(inplace, change.commit(), model)


@seed_required(CALL.format("plan"))
def plan(
    model: Any,
    operator: Operators,
    *,
    seed: Seed,
    example: Any = None,
    inplace: bool = False,
    optimizer: Any = None,
    donors: Mapping[str, Any] | None = None,
) -> Plan:
    """Say what `mutate` would change, tensor by tensor, without changing anything.

    Args:
        model: As in `mutate`.
        operator: As in `mutate`.
        seed: As in `mutate`.
        example: As in `mutate`.
        inplace: What ``.apply()`` does.
        optimizer: What ``.apply()`` hands on.
        donors: As in `mutate`.

    Returns:
        A plan; print it to read it, and call ``.apply()`` for the mutant.

    Raises:
        GenewrightError: The mutation would be refused.

    Example:
        >>> import torch, genewright as gw
        >>> print(gw.plan(torch.nn.Linear(3, 2), gw.Zero(rate=0.5), seed=1).steps[0].lines[0].tensor)
        weight
    """
    backend = backend_of(model)
    operators = operators_for(model, operator, "gw.plan")
    companion = companion_of(backend, model, optimizer, inplace=True)
    known = Donors(donors, example=example)
    with Transaction(backend, model, example=example, donors=known, dry=True) as change:
        network = change.network
        trainable = sum(tensor.size for tensor in network.tensors.values() if tensor.trainable)
        held = set(network.tensors)
        act(change, operators, Noise(seed))
    resized = {name for done in change.done for e in done.step.edits if isinstance(e, Gather) for name in e.tensors()}
    notes = list(companion.state_resets(sorted(resized & held))) if companion is not None else []
    if network.state:
        notes.append(f"left alone: {said_state(network.state)}")
    notes += _whole_numbers(network, {line.tensor for done in change.done for line in done.lines})
    return Plan(
        base=change.base,
        steps=tuple(change.done),
        notes=tuple(notes),
        trainable=trainable,
        inplace=inplace,
        mutate=lambda inplace: mutate(
            model, operators, seed=seed, example=example, inplace=inplace, optimizer=optimizer, donors=donors
        ),
    )


def _whole_numbers(network: Network, changed: Collection[str]) -> Iterator[str]:
    """Yield a note on weights that are stored as bytes, as int8 layers do: no noise is drawn for them."""
    packed = [t for t in network.tensors.values() if t.dtype in ("int8", "uint8") and t.name not in changed]
    if packed:
        names = ", ".join(t.name for t in packed[:3]) + (", ..." if len(packed) > 3 else "")
        yield f"left alone: {len(packed)} tensors of bytes ({names}), {sum(t.size for t in packed):,} values"
