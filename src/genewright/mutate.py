"""plan, mutate, mutated (undo), replay: the one path by which networks change."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from genewright.backends import Backend, backend_of
from genewright.calls import answered
from genewright.companion import Companion
from genewright.donors import Donors, as_network
from genewright.edits import Gather
from genewright.errors import FingerprintError, NoAttributeError, RecipeError, SettingError, UnsupportedError
from genewright.fingerprint import difference_from, fingerprint_of
from genewright.interrupts import checkpoint, hearing, shielded
from genewright.named import operators_for
from genewright.network import Network
from genewright.operator import AnyOperator, Combinator, Operator, OperatorLike
from genewright.plan import Plan
from genewright.recipe import Recipe, step_text
from genewright.references import said
from genewright.seeding import Noise, Seed, seed_required
from genewright.showing import Meter
from genewright.transaction import Transaction
from genewright.where import said_state

Operators = OperatorLike | Iterable[OperatorLike]
Model = TypeVar("Model")
_COPIED, _CHANGED = 0.25, 0.75  # shares of the work of a mutation in place of which nothing else is known
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
    companion = _companion(backend, model, optimizer, inplace=inplace)
    with Meter("gw.mutate", progress) as meter:
        target = model if inplace else _copy_of(backend, model)
        known = Donors(donors, changing=model if inplace else None, operators=operators, example=example)
        with Transaction(
            backend, target, example=example, donors=known, companion=companion, inplace=inplace, meter=meter
        ) as change:
            act(change, operators, Noise(seed))
            return _same_if(inplace, change.commit(), model)


@seed_required(_CALL.format("plan"))
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
    companion = _companion(backend, model, optimizer, inplace=True)
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


@seed_required("with " + _CALL.format("mutated") + " as mutant: ...")
def mutated(
    model: Model,
    operator: Operators,
    *,
    seed: Seed,
    example: Any = None,
    optimizer: Any = None,
    donors: Mapping[str, Any] | None = None,
) -> Mutated[Model]:
    """Mutate `model` in place for the length of a ``with`` block; afterwards every byte is back.

    Nothing is subtracted: the old values are kept aside, only those that change where the rate is low. Running
    statistics and other buffers that forward passes move inside the block are put back too; training steps on the
    parameters inside the block are not undone. Ctrl-C, at whatever instant it comes, finds the model mutated whole or
    back whole.

    Args:
        model: As in `mutate`.
        operator: As in `mutate`.
        seed: As in `mutate`.
        example: As in `mutate`.
        optimizer: As in `mutate`; its state too is back afterwards.
        donors: As in `mutate`.

    Returns:
        A context manager; it gives `model`, mutated.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(3, 2)
        >>> with gw.mutated(net, gw.Zero(rate=1.0), seed=1) as zeroed:
        ...     zeroed.weight.abs().sum().item()
        0.0
    """
    operators = operators_for(model, operator, "gw.mutated")
    known = Donors(donors, changing=model, operators=operators, example=example)
    return Mutated(model, operators, seed, example, optimizer, known)


_BLOCK = "The model is a mutant inside a block alone. Write with gw.mutated(model, operator, seed=246) as mutant: ..."


class Mutated(Generic[Model]):
    """A model that is a mutant for the length of a ``with`` block; made by `mutated`."""

    def __init__(
        self, model: Model, operators: tuple[AnyOperator, ...], seed: Seed, example: Any, optimizer: Any, donors: Donors
    ) -> None:
        self._model = model
        self._operators = operators
        self._seed = seed
        self._example = example
        self._optimizer = optimizer
        self._donors = donors
        self._change: Transaction | None = None

    if not TYPE_CHECKING:  # a type checker says so itself

        def __getattr__(self, name: str) -> Any:
            """Say that the block is missing."""
            raise NoAttributeError(f"gw.mutated(...) has no attribute {name!r}. {_BLOCK}")

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            """Say that the block is missing."""
            raise SettingError(f"gw.mutated(...) is no model. {_BLOCK}")

        __iter__ = __len__ = __getitem__ = __call__

    @shielded
    def __enter__(self) -> Model:
        backend = backend_of(self._model)
        companion = _companion(backend, self._model, self._optimizer, inplace=True)
        self._change = change = Transaction(
            backend,
            self._model,
            example=self._example,
            donors=self._donors,
            companion=companion,
            inplace=True,
            keep=True,
            signs=False,
        )
        change.__enter__()
        try:
            change.remember_buffers()
            act(change, self._operators, Noise(self._seed))
            checkpoint()
        except BaseException as error:
            change.__exit__(type(error), error, error.__traceback__)
            raise
        change.open_to_caller()
        return change.model

    @shielded
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._change is not None
        self._change.__exit__(kind, error, trace)


@answered("gw.replay(recipe, base)")
def replay(
    recipe: Recipe,
    base: Model,
    *,
    donors: Iterable[Any] | Mapping[str, Any] = (),
    example: Any = None,
    inplace: bool = False,
    optimizer: Any = None,
    progress: bool = False,
) -> Model:
    """Make the mutant again that `recipe` describes, byte for byte.

    Args:
        recipe: From `gw.recipe(mutant)`, `Recipe.load` or `Recipe.from_json`.
        base: The network that the recipe starts from.
        donors: The networks that its steps took weights from, in any order. What the recipe itself leads to from `base`
            on the way, such as the second parent of a crossover, is made again and need not be given.
        example: The batch on which a step fitted values (`Narrow` with repair="least_squares"); no other step of ours
            needs one.
        inplace: Change `base` itself instead of a copy.
        optimizer: As in `mutate`.
        progress: As in `mutate`.

    Raises:
        FingerprintError: `base` is not the recipe's base, or the result differs from the recorded one; the message
            says whose fingerprint differs, and in what. Nothing has been changed then.
        ExampleError: A step was fitted on an example, and that is not the one given.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(3, 2)
        >>> mutant = gw.mutate(net, gw.SignFlip(rate=0.5), seed=1)
        >>> gw.fingerprint(gw.replay(gw.recipe(mutant), net)) == gw.fingerprint(mutant)
        True
    """
    if not isinstance(recipe, Recipe):  # pyright: ignore[reportUnnecessaryIsInstance]
        how = "gw.Recipe.from_json(text)" if isinstance(recipe, str | bytes) else "gw.recipe(mutant)"
        raise SettingError(f"gw.replay(recipe, base): the recipe comes first, from {how}; received {said(recipe)}.")
    backend = backend_of(base)
    companion = _companion(backend, base, optimizer, inplace=inplace)
    given = tuple(cast("Mapping[str, Any]", donors).values() if isinstance(donors, Mapping) else donors)
    given = tuple(map(as_network, given))
    given = (*given, *_remade(recipe, base, given, example))
    with (
        Meter("gw.replay", progress) as meter,
        Transaction(
            backend,
            base if inplace else _copy_of(backend, base),
            example=example,
            meter=meter,
            donors=Donors(given, changing=base if inplace else None, example=example),
            companion=companion,
            inplace=inplace,
            keep=inplace,
        ) as change,
    ):
        if change.base != recipe.base:
            raise FingerprintError(
                f"The base differs: the recipe starts from {recipe.base}, and this network is {change.base}. "
                f"{difference_from(recipe.base, recipe.steps[0].form, change.network)} "
                "Give the network that the recipe was made from."
            )
        steps = recipe.steps
        for position, step in enumerate(steps):
            meter.within(*_share_of(position, len(steps)))
            change.repeat(step)
        change.finish()
        result = change.result()
        if result != recipe.result:
            raise FingerprintError(
                f"The result differs: the recipe leads to {recipe.result}, and the replay gave {result}. "
                "The recipe was edited, an operator in it is of another version, or one network is a file, which does "
                "not say which of its tensors are trainable (name them: where=)."
            )
        return _same_if(inplace, change.commit(tuple(map(step_text, recipe.nodes))), base)


def _remade(recipe: Recipe, base: Any, given: tuple[Any, ...], example: Any) -> list[Any]:
    """Return the donors that a recipe leads to from its own base, each made of what came before it."""
    has = set(map(fingerprint, given)) if recipe.donors else set[str]()
    used = {parent: at for at, node in reversed(list(enumerate(recipe.nodes))) for parent in node.parents[1:]}
    places = {node.result: at for at, node in enumerate(recipe.nodes) if at < used.get(str(node.result), 0)}
    made: list[Any] = []
    todo, ways = list(recipe.donors), dict[int, Recipe]()
    while todo:
        donor = todo.pop()
        if donor == recipe.base and donor not in has:
            made.append(backend_of(base).copy(base))
            has.add(donor)
        elif donor in places and donor not in has and places[donor] not in ways:
            way = Recipe(recipe.nodes[: places[donor] + 1])
            if way.base == recipe.base:
                ways[places[donor]] = way
                todo += way.donors
    for _, way in sorted(ways.items()):
        made.append(replay(way, base, donors=(*given, *made), example=example))
    return made


@answered("gw.fingerprint(model)")
def fingerprint(model: Any) -> str:
    """Return the fingerprint of a network: names, shapes, dtypes and bytes of all tensors.

    Running statistics are included; device, memory layout and the order of tensors do not matter.

    Example:
        >>> import torch, genewright as gw
        >>> gw.fingerprint(torch.nn.Linear(3, 2)).startswith("b3:")
        True
    """
    return fingerprint_of(backend_of(model).network(model))


@answered("gw.recipe(mutant)")
def recipe(mutant: Any) -> Recipe:
    """Return the recipe that a mutant carries.

    Raises:
        RecipeError: The model is not a mutant.
    """
    history = backend_of(mutant).history(mutant)
    if not history:
        raise RecipeError("This model carries no recipe: it is not a mutant made by gw.mutate or gw.replay.")
    return Recipe.of(history)


@shielded
def act(change: Transaction, operators: tuple[AnyOperator, ...], noise: Noise) -> None:
    """Let operators act in order; combinators choose when their turn comes, and see the network then."""
    more = len(operators) > 1 or any(isinstance(one, Combinator) for one in operators)
    for position, operator in enumerate(operators):
        change.meter.within(*_share_of(position, len(operators)))
        for leaf, own in _resolved(change, operator, noise.child(position)):
            change.step(leaf, own, more=more)
    change.finish()


def _share_of(step: int, steps: int) -> tuple[float, float]:
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
def _copy_of(backend: Backend, model: Any) -> Any:
    return backend.copy(model)


def _same_if(inplace: bool, made: Any, model: Any) -> Any:
    """Return the mutant; where it was to be made in place, hold the framework to that.

    Raises:
        UnsupportedError: Models of this kind cannot change, so the mutant is another object.
    """
    if inplace and made is not model:
        raise UnsupportedError(
            f"A {type(model).__name__} cannot change in place: a mutant is a new object. Leave out inplace=True."
        )
    return made


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
