"""An optimizer's state, carried along while its model changes shape."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from genewright.backends.torch.tensors import unwrapped
from genewright.errors import UnsupportedError
from genewright.journal import Journal
from genewright.part import Part, grid

# Second moments start at their mean for new entries: zero would make the first step of such an entry too large.
_SECOND_MOMENTS = ("exp_avg_sq", "max_exp_avg_sq", "exp_inf", "square_avg", "sum")
# State of these families is a tensor of the parameter's shape for each entry, which moves as the entries move.
_FIRST_MOMENTS = ("momentum_buffer", "exp_avg", "grad_avg", "acc_delta", "prev", "ax")
_MOMENTS = (*_FIRST_MOMENTS, *_SECOND_MOMENTS)


class OptimizerState:
    """What `torch.optim` keeps for each parameter of a model.

    SGD's momentum and the moments of the Adam family are gathered as the parameter is; new entries start with a first
    moment of zero and the mean second moment. State of any other kind is dropped for that parameter, so that the
    optimizer starts it again, and a warning says so.

    Args:
        model: The model that the optimizer trains.
        optimizer: Any `torch.optim.Optimizer`.

    Raises:
        UnsupportedError: It holds none of the model's parameters.
    """

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self._model = unwrapped(model)
        self._optimizer = optimizer
        self._before = list(self._model.named_parameters())
        groups = enumerate(optimizer.param_groups)
        self._places = {id(p): number for number, group in groups for p in group["params"]}
        if not any(id(parameter) in self._places for _, parameter in self._before):
            raise UnsupportedError(
                "optimizer= holds none of this model's parameters. Give the optimizer that was made with them."
            )

    def gathered(self, name: str, parameter: torch.Tensor, axis: int, index: NDArray[Any], journal: Journal) -> None:
        """Move the state of one parameter as its entries have moved."""
        self._changed(journal)
        old: dict[str, Any] | None = self._optimizer.state.get(parameter)
        if old is None:
            return
        shape = list(parameter.shape)
        new: dict[str, Any] = {}
        for key, value in old.items():
            if _has_no_shape(value):
                new[key] = value
            elif key in _MOMENTS and _is_like(value, parameter, axis):
                new[key] = _gathered(value, axis, index, fill_mean=key in _SECOND_MOMENTS)
            else:
                self._say(f"{key!r} of {name!r} cannot be moved to the shape {shape}")
                new = {}
                break
        journal.keep(self._optimizer.state)
        self._optimizer.state[parameter] = new
        if not new:
            del self._optimizer.state[parameter]

    def forgotten(self, name: str, parameter: torch.Tensor, part: Part, journal: Journal) -> None:
        """Let the state of some elements of a parameter start again, as that of new ones starts."""
        old: dict[str, Any] | None = self._optimizer.state.get(parameter)
        if old is None:
            return
        new: dict[str, Any] = {}
        for key, value in old.items():
            if _has_no_shape(value):
                new[key] = value
            elif key in _MOMENTS and _is_like(value, parameter):
                new[key] = _forgotten(value, part, fill_mean=key in _SECOND_MOMENTS)
            else:
                self._say(f"{key!r} of {name!r} cannot start again for some of its elements")
                new = {}
                break
        journal.keep(self._optimizer.state)
        self._optimizer.state[parameter] = new
        if not new:
            del self._optimizer.state[parameter]

    def state_resets(self, name: str, parameters: tuple[torch.Tensor, ...]) -> list[str]:
        """Say what of the state of a tensor that changes its shape cannot move, and starts again."""
        if isinstance(self._optimizer, torch.optim.LBFGS):
            return ["LBFGS: its history cannot be moved; it starts again."] if self._optimizer.state else []
        return [
            f"{type(self._optimizer).__name__}: {key!r} of {name!r} cannot be moved; its state starts again."
            for parameter in parameters
            for key, value in self._optimizer.state.get(parameter, {}).items()
            if not (_has_no_shape(value) or (key in _MOMENTS and _is_like(value, parameter)))
        ]

    @property
    def takes_matrices_only(self) -> bool:
        return any("muon" in kind.__name__.lower() for kind in type(self._optimizer).__mro__)

    def group_of(self, parameter: torch.Tensor) -> int | None:
        return self._places.get(id(parameter))

    def release(self, journal: Journal) -> None:
        """Let go of the parameters that the model has no longer, and call the others by their present names."""
        names = {id(parameter): name for name, parameter in self._model.named_parameters()}
        gone = {id(parameter) for _, parameter in self._before if id(parameter) not in names}
        renamed = {name: names[id(p)] for name, p in self._before if id(p) in names and names[id(p)] != name}
        journal.keep(self._optimizer.state)
        for group in self._optimizer.param_groups:
            held: list[torch.Tensor] = group["params"]
            called: list[str] | None = group.get("param_names")
            kept = [at for at, parameter in enumerate(held) if id(parameter) not in gone]
            if len(kept) < len(held):
                self._changed(journal)
            _keep_entries(held, kept, journal)  # the list itself: an optimizer may hold it elsewhere too, as LBFGS does
            if called is not None:
                _keep_entries(called, kept, journal)
                called[:] = [renamed.get(name, name) for name in called]
        for parameter in [p for p in self._optimizer.state if id(p) in gone]:
            del self._optimizer.state[parameter]

    def take(self, name: str, parameter: nn.Parameter, group: int, journal: Journal) -> None:
        """Take a new parameter into a group."""
        self._changed(journal)
        held = self._optimizer.param_groups[group]
        journal.keep(held["params"])
        held["params"].append(parameter)
        if "param_names" in held:
            journal.keep(held["param_names"])
            held["param_names"].append(name)

    def _changed(self, journal: Journal) -> None:
        """Start LBFGS again: its history is of all its parameters in one vector, and their number is remembered."""
        optimizer = self._optimizer
        if not isinstance(optimizer, torch.optim.LBFGS):
            return
        journal.keep(vars(optimizer))
        journal.keep(optimizer.state)
        vars(optimizer)["_numel_cache"] = None
        if optimizer.state:
            optimizer.state.clear()
            warnings.warn("LBFGS: its history cannot be moved to other shapes; it starts again.", stacklevel=2)

    def _say(self, reason: str) -> None:
        name = type(self._optimizer).__name__
        warnings.warn(f"{name}: {reason}; its state starts again for this parameter.", stacklevel=2)


def _keep_entries(held: list[Any], kept: list[int], journal: Journal) -> None:
    journal.keep(held)
    held[:] = [held[at] for at in kept]


def _has_no_shape(value: Any) -> bool:
    """Whether a value of the state is none of the parameter's entries: a count, a setting."""
    if isinstance(value, torch.Tensor):
        return value.dim() == 0
    return value is None or isinstance(value, bool | int | float | str)


def _is_like(value: Any, parameter: torch.Tensor, axis: int | None = None) -> bool:
    """Whether a value has an entry for each of the parameter's, whatever the length along `axis` has become."""
    if not isinstance(value, torch.Tensor) or value.dim() != parameter.dim():
        return False
    lengths = zip(value.shape, parameter.shape, strict=True)
    return all(has == wanted or at == axis for at, (has, wanted) in enumerate(lengths))


def _forgotten(value: torch.Tensor, part: Part, *, fill_mean: bool) -> torch.Tensor:
    place = tuple(torch.tensor(at) if isinstance(at, np.ndarray) else at for at in grid(part, tuple(value.shape)))
    chosen = torch.zeros_like(value, dtype=torch.bool)
    chosen[place] = True
    others = value[~chosen]
    new = value.clone()
    new[chosen] = others.mean() if fill_mean and others.numel() else 0.0
    return new


def _gathered(value: torch.Tensor, axis: int, places: NDArray[Any], *, fill_mean: bool) -> torch.Tensor:
    index = torch.tensor(places, device=value.device)
    gathered = value.index_select(axis, index.clamp(min=0))
    fresh = (slice(None),) * axis + (index < 0,)
    gathered[fresh] = value.mean() if fill_mean and value.numel() else 0.0
    return gathered
