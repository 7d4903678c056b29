"""The outputs of a torch module for a batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from genewright.backends.torch.draws import OwnDraws, compiled_draws
from genewright.backends.torch.kept_state import kept_state
from genewright.backends.torch.modes import evaluating
from genewright.interrupts import checkpoint, shielded


@shielded  # torch's stack of modes must not be left half way
def predict(model: nn.Module, batch: Any, *, scratch: bool = False) -> list[NDArray[Any]]:
    """Return the output tensors for one batch, in evaluation mode, without gradients.

    A model that draws at random draws the same every time, and leaves torch's global generators alone; what its modules
    keep between calls (a hidden state, a counter, a cache) is as it was afterwards.

    Args:
        model: Any module; each sub-module's mode is as before afterwards.
        batch: A tensor or array, a tuple of positional or a dict of keyword arguments.
        scratch: The module is thrown away afterwards: what it keeps between calls is not put back.

    Returns:
        The tensors of the output in order (of a tuple, a dict or a dataclass such as transformers' outputs);
        half types as float32.
    """
    checkpoint()
    place = next((p for p in model.parameters()), None)
    inputs = placed(batch, place)
    kept = nullcontext() if scratch else kept_state(model)
    with evaluating(model), kept, torch.no_grad(), compiled_draws() if _is_compiled(model) else OwnDraws():
        if isinstance(inputs, dict):
            output = model(**inputs)
        elif isinstance(inputs, tuple):
            output = model(*inputs)
        else:
            output = model(inputs)
        return [np.array(array_of(tensor)) for tensor in tensors_of(output)]  # an output may be a state itself


def _is_compiled(model: nn.Module) -> bool:
    return any("_orig_mod" in module._modules or vars(module).get("_compiled_call_impl") for module in model.modules())  # pyright: ignore[reportPrivateUsage]


def placed(value: Any, place: torch.Tensor | None) -> Any:
    """Copy arrays to the model's device, floating ones in its dtype; a model that works in place changes the copy."""
    if isinstance(value, np.ndarray):
        value = torch.tensor(np.ascontiguousarray(cast(NDArray[Any], value)))
    if isinstance(value, torch.Tensor):
        if place is None:
            return value.clone()
        floating = value.is_floating_point() and place.is_floating_point()
        return value.to(place.device, place.dtype if floating else value.dtype, copy=True)
    if isinstance(value, Mapping):
        return {str(k): placed(v, place) for k, v in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, tuple | list):
        return tuple(placed(v, place) for v in cast(Sequence[Any], value))
    return value


def tensors_of(output: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors of an output: of a tuple, list, dict or dataclass such as transformers' outputs."""
    if isinstance(output, torch.Tensor):
        yield output
    elif isinstance(output, Mapping):
        for value in cast(Mapping[Any, Any], output).values():
            yield from tensors_of(value)
    elif isinstance(output, tuple | list):
        for value in cast(Sequence[Any], output):
            yield from tensors_of(value)


def array_of(tensor: torch.Tensor) -> NDArray[Any]:
    """Return a tensor as an array, wherever it lies; half types as float32."""
    if tensor.dtype in (torch.bfloat16, torch.float16):
        tensor = tensor.float()
    return tensor.detach().cpu().resolve_conj().resolve_neg().numpy()
