"""replay: a mutant again, of its recipe and its base."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from genewright.backends import backend_of
from genewright.calls import answered
from genewright.donors import Donors, as_network
from genewright.errors import FingerprintError, SettingError
from genewright.fingerprint import difference_from
from genewright.mutate.acting import Model, companion_of, copy_of, same_if, share_of
from genewright.mutate.identity import fingerprint
from genewright.recipe import Recipe, step_text
from genewright.references import said
from genewright.showing import Meter
from genewright.transaction import Transaction


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
    companion = companion_of(backend, base, optimizer, inplace=inplace)
    given = tuple(cast("Mapping[str, Any]", donors).values() if isinstance(donors, Mapping) else donors)
    given = tuple(map(as_network, given))
    given = (*given, *_remade(recipe, base, given, example))
    with (
        Meter("gw.replay", progress) as meter,
        Transaction(
            backend,
            base if inplace else copy_of(backend, base),
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
            meter.within(*share_of(position, len(steps)))
            change.repeat(step)
        change.finish()
        result = change.result()
        if result != recipe.result:
            raise FingerprintError(
                f"The result differs: the recipe leads to {recipe.result}, and the replay gave {result}. "
                "The recipe was edited, an operator in it is of another version, or one network is a file, which does "
                "not say which of its tensors are trainable (name them: where=)."
            )
        return same_if(inplace, change.commit(tuple(map(step_text, recipe.nodes))), base)


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
