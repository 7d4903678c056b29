"""Forward passes of individuals: all at once under vmap, or one after the other."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, cast

import torch
from torch import nn
from torch.func import functional_call, vmap  # pyright: ignore[reportUnknownVariableType]
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten  # pyright: ignore[reportUnknownVariableType]

from genewright.errors import UnsupportedError
from genewright.process_state import warnings_ignored

Tensors = Mapping[str, torch.Tensor]
Mode = Callable[[dict[str, torch.Tensor]], AbstractContextManager[Any]]
"""Makes the mode that layers compute under, of what one individual has beside its tensors."""

_TENSOR = object()  # stands for a tensor among an output's leaves


def together(
    model: nn.Module, stacked: Tensors, own: Mapping[str, Any], inputs: Any, *, each: bool, mode: Mode, randomness: str
) -> Any:
    """Run all individuals in one pass.

    Args:
        model: A module of their form; it holds what they share.
        stacked: Parameters and buffers with a first axis of individuals.
        own: What else each has, with such an axis.
        inputs: Arguments, as `placed` gives them.
        each: Inputs too have that axis.
        mode: What layers compute under.
        randomness: As in `torch.func.vmap`.

    Returns:
        What the model returns, each tensor with a first axis of individuals; objects that hold others are None.
    """
    shape: list[Any] = []

    def one(stacked: Tensors, own: dict[str, torch.Tensor], inputs: Any) -> tuple[torch.Tensor, ...]:
        with mode(own):
            leaves, spec, tensors = _taken_apart(_called(model, stacked, inputs))
        shape[:] = [leaves, spec]
        return tensors

    mapped: Any = vmap(one, in_dims=(0, 0, 0 if each else None), randomness=randomness)
    with unchanged(model), warnings_ignored():  # torch says which operations it has no rule for, and does them
        tensors = mapped(dict(stacked), dict(own), inputs)
    return _put_together(shape[0], shape[1], tensors)


def one_by_one(
    model: nn.Module, stacked: Tensors, inputs: Any, *, each: bool, count: int, fresh: Callable[[], None]
) -> Any:
    """Run one individual after the other; arguments and result as those of `together`.

    Args:
        model: As there.
        stacked: As there.
        inputs: As there.
        each: As there.
        count: How many individuals there are.
        fresh: Is called before each.
    """
    gathered: list[torch.Tensor] = []
    leaves: list[Any] = []
    spec: Any = None
    for at in range(count):
        fresh()
        mine = {name: rows[at] for name, rows in stacked.items()}
        given = _cut(inputs, at) if each else inputs
        with unchanged(model):
            leaves, spec, tensors = _taken_apart(_called(model, mine, given))
        if not gathered:
            gathered = [one.new_empty((count, *one.shape)) for one in tensors]
        for rows, one in zip(gathered, tensors, strict=True):
            rows[at] = one
    return _put_together(leaves, spec, tuple(gathered))


def _called(model: nn.Module, tensors: Tensors, inputs: Any) -> Any:
    if isinstance(inputs, dict):
        return functional_call(model, dict(tensors), (), cast("dict[str, Any]", inputs), tie_weights=False)
    args: tuple[Any, ...] = cast("tuple[Any, ...]", inputs) if isinstance(inputs, tuple) else (inputs,)
    return functional_call(model, dict(tensors), args, tie_weights=False)


def _cut(value: Any, at: int | slice) -> Any:
    def one(leaf: Any) -> Any:
        return leaf[at] if isinstance(leaf, torch.Tensor) else leaf

    return tree_map(one, value)


def _taken_apart(output: Any) -> tuple[list[Any], Any, tuple[torch.Tensor, ...]]:
    """Return an output's leaves with a mark for each tensor, its structure, and the tensors."""
    leaves, spec = tree_flatten(output)
    tensors = tuple(leaf for leaf in leaves if isinstance(leaf, torch.Tensor))
    if not tensors:
        raise UnsupportedError(f"The model returned {type(output).__name__}, in which no tensor is found.")
    kept = [_TENSOR if isinstance(leaf, torch.Tensor) else leaf if _plain(leaf) else None for leaf in leaves]
    return kept, spec, tensors


def _put_together(leaves: list[Any], spec: Any, tensors: tuple[torch.Tensor, ...]) -> Any:
    waiting = iter(tensors)
    return tree_unflatten([next(waiting) if leaf is _TENSOR else leaf for leaf in leaves], spec)


def _plain(leaf: Any) -> bool:
    return leaf is None or isinstance(leaf, bool | int | float | str)


@contextmanager
def unchanged(model: nn.Module) -> Generator[None]:
    """Put back what a pass leaves in the modules' attributes: the next individual has its own, and vmap's are dead."""
    held: list[dict[str, Any]] = []
    for module in model.modules():
        held += [vars(module), vars(module)["_parameters"], vars(module)["_buffers"]]
    kept = [(one, dict(one)) for one in held]
    try:
        yield
    finally:
        for one, before in kept:
            if len(one) != len(before) or any(one.get(name) is not value for name, value in before.items()):
                one.clear()
                one.update(before)


def parallel_rows(value: Any) -> set[int]:
    """Return the lengths of the first axes of all tensors in a batch."""
    leaves: list[Any] = tree_flatten(value)[0]
    return {leaf.shape[0] if leaf.dim() else 0 for leaf in leaves if isinstance(leaf, torch.Tensor)}


def cut(value: Any, start: int, stop: int) -> Any:
    """Return the rows of some individuals, of every tensor in a batch."""
    return _cut(value, slice(start, stop))


def joined(parts: list[Any]) -> Any:
    """Return outputs of some individuals after those of others."""
    if len(parts) == 1:
        return parts[0]
    flat = [tree_flatten(part) for part in parts]
    every: Any = zip(*(leaves for leaves, _ in flat), strict=True)
    leaves = [torch.cat(ones) if isinstance(ones[0], torch.Tensor) else ones[0] for ones in every]
    return tree_unflatten(leaves, flat[0][1])
