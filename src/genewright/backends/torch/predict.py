"""The outputs of a torch module for a batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from types import ModuleType
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from genewright.backends.torch.draws import OwnDraws, compiled_draws
from genewright.backends.torch.kept_state import kept_state
from genewright.backends.torch.modes import evaluating
from genewright.interrupts import checkpoint, shielded

_FLOATING = np.ndarray | np.generic | float | complex
_NO_OUTPUTS = torch.Tensor | nn.Module | type | ModuleType


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
        The tensors of the output in order (of a tuple, a dict or a dataclass such as transformers' outputs), half types
        as float32; then its arrays and floating numbers.
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
        return _values_of(output)  # copies: an output may be a state itself


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
    """Yield the tensors of an output: of a tuple, list, dict or dataclass such as transformers' outputs.

    Where there are none, those of the attributes of objects, and of what a generator yields.
    """
    found = [leaf for leaf in _leaves(output) if isinstance(leaf, torch.Tensor)]
    yield from found or (leaf for leaf in _leaves(output, {}) if isinstance(leaf, torch.Tensor))


def _values_of(output: Any) -> list[NDArray[Any]]:
    """Return all in which two outputs can differ: tensors, then arrays and floating numbers; if alone, any numbers."""
    leaves = list(_leaves(output))
    if not any(isinstance(leaf, torch.Tensor | _FLOATING) for leaf in leaves):
        leaves = list(_leaves(output, {}))
    tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
    numbers: list[Any] = [leaf for leaf in leaves if isinstance(leaf, _FLOATING)]
    if not tensors and not numbers:
        numbers = [leaf for leaf in leaves if isinstance(leaf, int)]  # beside others one says a size, which may change
    return [np.array(one) for one in (*map(array_of, tensors), *numbers)]


def _leaves(output: Any, seen: dict[int, Any] | None = None) -> Iterator[Any]:
    """Yield what containers and dataclasses hold in the end; with `seen`, what other objects hold as well."""
    held = _held(output, deep=seen is not None)
    if held is None:
        yield output
    elif seen is None or id(output) not in seen:
        if seen is not None:
            seen[id(output)] = output  # an object may hold itself
        for value in held:
            yield from _leaves(value, seen)


def _held(output: Any, *, deep: bool) -> list[Any] | None:
    """Return what an output holds; None where it is one itself."""
    if isinstance(output, Mapping):
        return list(cast(Mapping[Any, Any], output).values())
    if isinstance(output, tuple | list) or (deep and isinstance(output, Iterator)):
        return list(cast("Iterator[Any]", output))
    if dataclasses.is_dataclass(output) and not isinstance(output, type):
        return [getattr(output, field.name, None) for field in dataclasses.fields(output)]
    if deep and hasattr(output, "__dict__") and not isinstance(output, _NO_OUTPUTS):
        return list(cast("dict[str, Any]", vars(output)).values())
    return None


def array_of(tensor: torch.Tensor) -> NDArray[Any]:
    """Return a tensor as an array, wherever it lies; half types as float32."""
    if tensor.dtype in (torch.bfloat16, torch.float16):
        tensor = tensor.float()
    return tensor.detach().cpu().resolve_conj().resolve_neg().numpy()
