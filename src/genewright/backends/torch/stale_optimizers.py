"""Optimizers that know nothing of a change: noticed at their next step, where nobody handed them to the mutation.

A model that is resized or grown in place without ``optimizer=`` may be trained by an optimizer that was made before.
It would leave the new parameters as they are, without a word, or fail over the shape of its state in torch's words.
Making a new optimizer after the change is right, and the old one is still alive then: so nothing is said at the
mutation. Instead the optimizers that hold the model's parameters get a hook, which looks when they step.
"""

from __future__ import annotations

import gc
import warnings
import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from genewright.errors import UnsupportedError
from genewright.journal import Journal

_CURE = "Hand it to the mutation: gw.mutate(..., inplace=True, optimizer=optimizer), or make a new optimizer."


class StaleOptimizers:
    """The optimizers of a model that is about to change in place; made before the change.

    Args:
        model: The model.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._old = [(parameter, parameter.shape) for parameter in model.parameters()]

    def finish(self, journal: Journal) -> None:
        """After the change, have the optimizers that do not know of it look when they step."""
        old = {id(parameter) for parameter, _ in self._old}
        new = [(name, p) for name, p in self._model.named_parameters() if p.requires_grad and id(p) not in old]
        resized = any(parameter.shape != shape for parameter, shape in self._old)
        for optimizer in _holding(old) if new or resized else ():
            hooks: dict[int, Any] = optimizer._optimizer_step_pre_hooks  # pyright: ignore[reportPrivateUsage]
            journal.keep(hooks)
            for key in [key for key, hook in hooks.items() if isinstance(hook, _Look)]:
                new = [*hooks.pop(key).left(), *new]
            optimizer.register_step_pre_hook(_Look(new))


class _Look:
    """Looks whether an optimizer trains the parameters that a mutation made; it says so once."""

    def __init__(self, new: Iterable[tuple[str, nn.Parameter]]) -> None:
        self._new = [(name, weakref.ref(parameter)) for name, parameter in new]

    def left(self) -> list[tuple[str, nn.Parameter]]:
        """Return the new parameters that are still alive and not yet spoken of."""
        alive = ((name, reference()) for name, reference in self._new)
        return [(name, parameter) for name, parameter in alive if parameter is not None]

    def __call__(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        kind = type(optimizer).__name__
        for parameter, state in optimizer.state.items():
            if any(_is_moment(key) and value.shape != parameter.shape for key, value in state.items()):
                raise UnsupportedError(
                    f"This {kind} was made before a mutation in place, and holds the moments of a parameter that has "
                    f"the shape {tuple(parameter.shape)} now. {_CURE}"
                )
        new, self._new = self.left(), []
        trained = {id(p) for one in _holding({id(p) for _, p in new}) for g in _groups(one) for p in g["params"]}
        missing = [name for name, parameter in new if parameter.requires_grad and id(parameter) not in trained]
        if missing:
            warnings.warn(
                f"This {kind} was made before a mutation in place: no optimizer trains "
                f"{', '.join(map(repr, missing[:4]))}{' ...' if missing[4:] else ''}. {_CURE}",
                stacklevel=3,
            )


def _is_moment(key: str) -> bool:
    return key.startswith(("exp_avg", "momentum_buffer", "square_avg", "grad_avg"))


def _holding(parameters: set[int]) -> list[torch.optim.Optimizer]:
    """Return the optimizers in memory that hold one of these parameters, given by their ids."""
    if not parameters:
        return []
    kinds = _kinds_below(torch.optim.Optimizer)
    optimizers = [thing for thing in gc.get_referrers(*kinds) if type(thing) in kinds]  # an object refers to its class
    return [one for one in optimizers if any(id(p) in parameters for g in _groups(one) for p in g["params"])]


def _groups(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    return vars(optimizer).get("param_groups", [])  # one that is being made on another thread has none yet


def _kinds_below(kind: type) -> set[type]:
    return {kind, *(below for one in kind.__subclasses__() for below in _kinds_below(one))}
