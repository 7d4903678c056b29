"""Products with the Jacobian of a torch module's first output, on a copy in float64 in main memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from genewright.backends.torch.copying import copy_module
from genewright.backends.torch.draws import OwnDraws
from genewright.backends.torch.predict import array_of, placed, tensors_of
from genewright.backends.torch.tensors import members_of, unwrapped
from genewright.errors import UnsupportedError
from genewright.example import example_fingerprint
from genewright.interrupts import shielded
from genewright.jacobian import Jacobian, Numbers

_STEP = 1e-6  # of a central difference: the best for float64 where numbers are about 1


class TorchJacobian(Jacobian):
    """Runs a copy of a module once, and keeps what its gradients need.

    Args:
        model: The module; it is not touched.
        example: The sample input.
        names: The tensors that derivatives are taken by.

    Raises:
        UnsupportedError: The example does not run, or the output has no gradients.
    """

    @shielded
    def __init__(self, model: nn.Module, example: Any, names: Sequence[str]) -> None:
        self.example = example_fingerprint(placed(example, None), array_of)  # arrays, as of a command's sample, too
        self._model = copy_module(unwrapped(model), dtype=torch.float64).double().cpu().eval()
        held = members_of(self._model)
        self._by = {name: held[name].tensor for name in names}
        self._inputs = placed(example, torch.zeros(0, dtype=torch.float64))
        with torch.no_grad():
            for parameter in self._model.parameters():
                parameter.requires_grad_(False)
            for tensor in self._by.values():
                tensor.requires_grad_()
        self._output = self._differentiable()
        if not self._output.requires_grad:
            raise UnsupportedError("The first output depends on none of the chosen weights by way of gradients.")
        self.shape = tuple(self._output.shape)

    def backward(self, weights: Numbers) -> dict[str, Numbers]:
        given = torch.tensor(weights, dtype=self._output.dtype)
        slopes = torch.autograd.grad(self._output, [*self._by.values()], given, retain_graph=True, allow_unused=True)
        found = cast("tuple[torch.Tensor | None, ...]", slopes)
        return {
            name: np.zeros(tuple(tensor.shape)) if slope is None else array_of(slope).astype(np.float64)
            for (name, tensor), slope in zip(self._by.items(), found, strict=True)
        }

    @shielded
    def forward(self, direction: Mapping[str, Numbers]) -> Numbers:
        ends: list[Numbers] = []
        with torch.no_grad():
            old = {name: tensor.clone() for name, tensor in self._by.items()}
            for sign in (1, -1):
                for name, tensor in self._by.items():
                    tensor.copy_(old[name] + sign * _STEP * torch.tensor(direction[name], dtype=tensor.dtype))
                ends.append(array_of(self._run()).astype(np.float64))
            for name, tensor in self._by.items():
                tensor.copy_(old[name])
        self._output = self._differentiable()  # what autograd keeps of a run is void once weights were written
        return (ends[0] - ends[1]) / (2 * _STEP)

    def _differentiable(self) -> torch.Tensor:
        with torch.enable_grad():
            return self._run()

    def _run(self) -> torch.Tensor:
        given = self._inputs
        try:
            with OwnDraws():
                if isinstance(given, dict):
                    output = self._model(**given)
                else:
                    output = self._model(*given) if isinstance(given, tuple) else self._model(given)
        except Exception as error:  # whatever the model's own code raises
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise UnsupportedError(
                f"The example does not run through a float64 copy of this {type(self._model).__name__} ({reason})."
            ) from error
        found = next((one for one in tensors_of(output) if one.is_floating_point()), None)
        if found is None or not found.dim():
            raise UnsupportedError(f"This {type(self._model).__name__} returns no tensor of numbers with samples.")
        return found
