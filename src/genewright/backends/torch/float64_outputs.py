"""The outputs of a torch module in float64, where the module allows."""

from __future__ import annotations

from typing import Any, cast

import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from genewright.backends.torch.copying import copy_module
from genewright.backends.torch.predict import predict
from genewright.backends.torch.tensors import unwrapped
from genewright.errors import UnsupportedError
from genewright.interrupts import shielded
from genewright.outputs import Outputs

_SHORT = (torch.float32, torch.float16, torch.bfloat16, torch.complex64)
_LONG = (torch.float64, torch.complex128)


@shielded
def exact_outputs(model: nn.Module, example: Any) -> Outputs:
    """Run a float64 copy of `model` on `example`, in evaluation mode; `model` itself is not touched.

    A module that insists on its own dtype is run in that. `exact` says whether nothing on the way was rounded to less
    than float64: some layers compute in float32 whatever they receive.

    Raises:
        UnsupportedError: The example does not run.
    """
    try:
        double = _doubled(copy_module(unwrapped(model), dtype=torch.float64))
        watch = Precision()
        with watch:
            outputs = predict(double, example, scratch=True)
        return Outputs(outputs, exact=not watch.single)
    except Exception:
        pass  # it insists on its own dtype, or the example is wrong: the next lines tell
    return Outputs(run_or_refuse(unwrapped(model), example), exact=False)


def run_or_refuse(model: nn.Module, example: Any) -> list[NDArray[Any]]:
    """Return the outputs for an example.

    Raises:
        UnsupportedError: The example does not run; the reason is named.
    """
    try:
        return predict(model, example)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UnsupportedError(
            f"The example does not run through this {type(model).__name__} ({reason}). Give example= as the model "
            "takes it: a tensor, a tuple of positional or a dict of keyword arguments."
        ) from error


class Precision(TorchDispatchMode):
    """Notes whether an operation turns float64 into less."""

    single = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if not self.single and any(_dtype(value) in _SHORT for value in _flat(result)):
            self.single = any(_dtype(value) in _LONG for value in _flat(args))
        return result


def _doubled(model: nn.Module) -> nn.Module:
    """Return a module in float64, its complex tensors in complex128: torch's own `double` leaves those."""

    def doubled(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(torch.complex128) if tensor.dtype == torch.complex64 else tensor

    changed: Any = model.double()
    return changed._apply(doubled)


def _flat(values: Any) -> tuple[Any, ...]:
    return tuple(cast("list[Any]", values)) if isinstance(values, tuple | list) else (values,)


def _dtype(value: Any) -> torch.dtype | None:
    return value.dtype if isinstance(value, torch.Tensor) else None
