"""The operations of a run and the shapes that they return: what has to be the same from one run to the next."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from genewright.backends.torch.structure.remains import Watch, clear, put_back
from genewright.backends.torch.structure.trace_devices import Real, TraceDevice

_T = TypeVar("_T")

Step = tuple[Any, tuple[tuple[int, ...], ...]]
"""An operation and the shapes of what it returned."""


class Outline(NamedTuple):
    """A run.

    Attributes:
        steps: Its operations, in order.
        holders: What keeps tensors of a run until they are taken away: caches of the model's code.
    """

    steps: tuple[Step, ...]
    holders: tuple[Any, ...]


def outlined(model: nn.Module, example: Any, kind: type[TraceDevice], known: Sequence[Any] = ()) -> Outline:
    """Run a copy of `model`, note what it does, and leave nothing behind.

    Args:
        model: Any module; neither it nor its tensors are touched.
        example: A tensor, a tuple of positional or a dict of keyword arguments.
        kind: What it runs on.
        known: The `holders` of an earlier run.

    Raises:
        RemainsError: What it leaves behind cannot be taken away.
        Exception: What the forward raises.
    """
    watch = _Steps()
    _, holders = cleared(lambda: _run(model, example, kind(), watch), watch, model, example, known)
    return Outline(tuple(watch.steps), holders)


def cleared(
    run: Callable[[], _T], watch: Watch, model: nn.Module, example: Any, known: Sequence[Any], *, over: bool = True
) -> tuple[_T, tuple[Any, ...]]:
    """Run as if for the first time, and take away what is left behind, also where the run fails.

    Args:
        run: What runs a copy of `model` under `watch`.
        watch: What is on while it runs.
        model: The module as it is.
        example: What it takes.
        known: What kept tensors of an earlier run.
        over: Nothing of the run is in use when it has returned.

    Returns:
        What `run` returned, and what is known now to keep tensors of a run.
    """

    def refill() -> Watch:
        real = _Steps()
        _run(model, example, Real(), real)
        return real

    clear(known)  # what they hold since may be of another kind
    try:
        result = run()
    except BaseException as error:  # what a signal's handler raises, too
        failure = error
        _let_go(error)
    else:
        return result, put_back(watch, refill, known, over=over)
    put_back(watch, refill, known)
    raise failure


def _run(model: nn.Module, example: Any, trace_device: TraceDevice, watch: _Steps) -> None:
    copied = trace_device.copy_of(model, {})
    given = trace_device.example(example)
    watch.note_given(given)
    trace_device.run(copied, given, watch)


def _let_go(error: BaseException | None) -> None:
    """Let the frames of an error go of the tensors that they were at work on."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


class _Steps(Watch):
    """Notes the operations of a run."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Step] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result: Any = func(*args, **(kwargs or {}))
        if func.namespace != "prim":
            self.note(func, result)
            leaves = tree_leaves(result)
            self.steps.append((func, tuple(tuple(x.shape) for x in leaves if isinstance(x, torch.Tensor))))
        return result
