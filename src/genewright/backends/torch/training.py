"""What is updated along with a model in training: its optimizers, and averaged copies of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from numpy.typing import NDArray
from torch import nn
from torch.optim.swa_utils import AveragedModel

from genewright.backends.torch.integrations import integrations
from genewright.backends.torch.network import TorchNetwork
from genewright.backends.torch.optimizers import OptimizerState
from genewright.backends.torch.parameter_groups import places_of_new, warn_of_untrained
from genewright.backends.torch.stale_optimizers import StaleOptimizers
from genewright.backends.torch.tensors import unwrapped
from genewright.companion import Companion
from genewright.declaration import Declaration
from genewright.errors import UnsupportedError
from genewright.journal import Journal
from genewright.part import Part


class Described(Companion):
    """What a module says of itself, as transformers' models do in a config: each library's integration knows how."""

    _left_out: StaleOptimizers | None = None

    def changing(self, model: nn.Module) -> None:
        self._left_out = self._left_out or StaleOptimizers(unwrapped(model))

    def finish(self, journal: Journal) -> None:
        if self._left_out is not None:
            self._left_out.finish(journal)

    def declared(self, model: nn.Module, example: Any) -> Declaration:
        found = (integration.declared(model, example) for integration in integrations())
        return next((each for each in found if each.edits or each.note), Declaration())


class Training(Described):
    """The optimizers of a model and its averaged copies, such as an exponential moving average of its weights.

    An averaged copy gets the same edits as the model where layers or shapes change: its own units are copied and
    shared out, and new ones are drawn alike. Changes of values alone it takes in as it does those of training.

    Args:
        model: The model that is mutated in place.
        given: A `torch.optim.Optimizer`, a `torch.optim.swa_utils.AveragedModel`, another module with the same
            tensors, or several of these.

    Raises:
        UnsupportedError: Something else is among them, or it does not belong to the model.
    """

    def __init__(self, model: nn.Module, given: Any) -> None:
        several = cast("Sequence[Any]", given) if isinstance(given, list | tuple) else (given,)
        self._model = model
        self._old = list(unwrapped(model).parameters())
        self._optimizers = [OptimizerState(model, one) for one in several if isinstance(one, torch.optim.Optimizer)]
        self.twins = tuple(_twin(model, one) for one in several if isinstance(one, nn.Module))
        for one in several:
            if not isinstance(one, torch.optim.Optimizer | nn.Module):
                raise UnsupportedError(
                    "optimizer= takes a torch.optim.Optimizer, an averaged copy of the model "
                    f"(torch.optim.swa_utils.AveragedModel), or several; received a {type(one).__name__}."
                )

    def gathered(self, name: str, parameter: torch.Tensor, axis: int, index: NDArray[Any], journal: Journal) -> None:
        """Move what the optimizers hold of one parameter as its entries have moved."""
        for optimizer in self._optimizers:
            optimizer.gathered(name, parameter, axis, index, journal)

    def forgotten(self, name: str, parameter: torch.Tensor, part: Part, journal: Journal) -> None:
        """Let what the optimizers hold of a part of one parameter start again."""
        for optimizer in self._optimizers:
            optimizer.forgotten(name, parameter, part, journal)

    def state_resets(self, names: Sequence[str]) -> list[str]:
        network = TorchNetwork(self._model)
        same = {name: network.members[network.tensor(name).name].same for name in names}
        resets = (optimizer.state_resets(name, same[name]) for name in names for optimizer in self._optimizers)
        return list(dict.fromkeys(text for texts in resets for text in texts))

    def finish(self, journal: Journal) -> None:
        for optimizer in self._optimizers:
            optimizer.release(journal)
        if not self._optimizers:
            return
        found = places_of_new(unwrapped(self._model), self._old, self._optimizers)
        for name, parameter, places in found:
            for number, group in places:
                self._optimizers[number].take(name, parameter, group, journal)
        warn_of_untrained(found)


def _twin(model: nn.Module, given: nn.Module) -> nn.Module:
    twin = unwrapped(given.module if isinstance(given, AveragedModel) else given)
    mine, theirs = TorchNetwork(model).tensors, TorchNetwork(twin).tensors
    if twin is unwrapped(model):
        raise UnsupportedError("optimizer= holds the model itself, where an averaged copy of it is meant.")
    if {name: tensor.shape for name, tensor in mine.items()} != {name: tensor.shape for name, tensor in theirs.items()}:
        raise UnsupportedError(
            f"optimizer= holds a {type(twin).__name__} whose tensors are not those of the model. Give an averaged copy "
            "that was made of this model as it is now."
        )
    return twin
