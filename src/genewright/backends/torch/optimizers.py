"""An optimizer's state, carried along while its model changes shape."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from genewright.backends.torch.tensors import unwrapped
from genewright.errors import UnsupportedError
from genewright.journal import Journal

# Second moments start at their mean for new entries: zero would make the first step of such an entry too large.
_SECOND_MOMENTS = ("exp_avg_sq", "max_exp_avg_sq", "exp_inf", "square_avg", "sum")
# State of these families is a tensor of the parameter's shape for each entry, which moves as the entries move.
_FIRST_MOMENTS = ("momentum_buffer", "exp_avg", "grad_avg", "acc_delta", "prev", "ax")


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
        self._before = {id(p) for p in self._model.parameters()}
        if not any(id(p) in self._before for group in optimizer.param_groups for p in group["params"]):
            raise UnsupportedError(
                "optimizer= holds none of this model's parameters. Give the optimizer that was made with them."
            )

    def gathered(self, name: str, parameter: torch.Tensor, axis: int, index: NDArray[Any], journal: Journal) -> None:
        """Move the state of one parameter as its entries have moved."""
        old: dict[str, Any] | None = self._optimizer.state.get(parameter)
        if old is None:
            return
        shape = list(parameter.shape)
        new: dict[str, Any] = {}
        for key, value in old.items():
            if not isinstance(value, torch.Tensor) or value.dim() == 0:
                new[key] = value
            elif key in _FIRST_MOMENTS or key in _SECOND_MOMENTS:
                new[key] = _gathered(value, axis, index, fill_mean=key in _SECOND_MOMENTS)
            else:
                self._say(f"{key!r} of {name!r} cannot be moved to the shape {shape}")
                new = {}
                break
        journal.keep(self._optimizer.state)
        self._optimizer.state[parameter] = new
        if not new:
            del self._optimizer.state[parameter]

    def state_resets(self, name: str, parameters: tuple[torch.Tensor, ...]) -> list[str]:
        """Say what of the state of a tensor that changes its shape cannot move, and starts again."""
        return [
            f"{type(self._optimizer).__name__}: {key!r} of {name!r} cannot be moved; its state starts again."
            for parameter in parameters
            for key, value in self._optimizer.state.get(parameter, {}).items()
            if isinstance(value, torch.Tensor) and value.dim() and key not in (*_FIRST_MOMENTS, *_SECOND_MOMENTS)
        ]

    def finish(self, journal: Journal) -> None:
        """Take in the parameters of new layers, beside those before them, and let go of those that are gone."""
        groups = self._optimizer.param_groups
        kept_groups = [list(group["params"]) for group in groups]
        for container in (self._optimizer.state, *groups):
            journal.keep(container)
        present = list(self._model.parameters())
        gone = self._before - {id(p) for p in present}
        place = {id(p): index for index, group in enumerate(groups) for p in group["params"]}
        for index, group in enumerate(groups):
            group["params"] = [p for p in kept_groups[index] if id(p) not in gone]
        for parameter in [p for p in self._optimizer.state if id(p) in gone]:
            del self._optimizer.state[parameter]
        beside = next((place[id(p)] for p in present if id(p) in place), 0)
        for parameter in present:
            if id(parameter) in place:
                beside = place[id(parameter)]
            elif id(parameter) not in self._before:
                groups[beside]["params"].append(parameter)

    def _say(self, reason: str) -> None:
        name = type(self._optimizer).__name__
        warnings.warn(f"{name}: {reason}; its state starts again for this parameter.", stacklevel=2)


def _gathered(value: torch.Tensor, axis: int, places: NDArray[Any], *, fill_mean: bool) -> torch.Tensor:
    index = torch.tensor(places, device=value.device)
    gathered = value.index_select(axis, index.clamp(min=0))
    fresh = (slice(None),) * axis + (index < 0,)
    gathered[fresh] = value.mean() if fill_mean and value.numel() else 0.0
    return gathered
