"""Gradients of a loss by tensors that the model has computed on the way, on the backends that keep them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.backends.keras.library import array_of, keras
from genewright.errors import DataError, SettingError, UnsupportedError


def refuse_without_gradients() -> None:
    """Refuse a backend that computes gradients of functions alone.

    Raises:
        UnsupportedError: It is JAX.
    """
    if keras.backend.backend() not in ("tensorflow", "torch"):
        raise UnsupportedError(
            "measure: gradients of a Keras model's units are taken on TensorFlow and on torch; this is "
            f"{keras.backend.backend()}. Set KERAS_BACKEND=tensorflow, or leave measures out that read gradients."
        )


def with_gradients(
    run: Callable[[Callable[[Any], Any]], Any], loss: Callable[[Any], Any]
) -> tuple[list[Any], list[NDArray[Any]]]:
    """Run a model and return the tensors that it hands over, and the gradient of a loss by each.

    Args:
        run: Runs the model, passes every tensor of interest through the function that it is given, and goes on with
            what that returns; returns the output.
        loss: Makes a number of the output.

    Raises:
        DataError: The loss does not depend on the output.
    """
    kept: list[Any] = []
    if keras.backend.backend() == "tensorflow":
        tensorflow = sys.modules["tensorflow"]
        with tensorflow.GradientTape() as tape:

            def watch(tensor: Any) -> Any:
                tape.watch(tensor)
                kept.append(tensor)
                return tensor

            value = loss(run(watch))
        found = tape.gradient(value, kept, unconnected_gradients=tensorflow.UnconnectedGradients.ZERO)
        return kept, [array_of(gradient) for gradient in found]
    torch = sys.modules["torch"]

    def keep(tensor: Any) -> Any:
        tensor = tensor if tensor.requires_grad else tensor.detach().requires_grad_()
        kept.append(tensor)
        return tensor

    with torch.enable_grad():
        value = loss(run(keep))
    if not value.requires_grad:
        raise DataError("loss: does not depend on the model's output through operations that have gradients.")
    found = torch.autograd.grad(value, kept, allow_unused=True)
    zeros = [torch.zeros_like(tensor) for tensor in kept]
    return kept, [array_of(zero if one is None else one) for one, zero in zip(found, zeros, strict=True)]


def loss_of(loss: Any, outputs: Any, targets: Any, count: int, *, probabilities: bool) -> Any:
    """Return the sum of the samples' losses.

    Args:
        loss: "cross_entropy", "mse", or a function (outputs, targets) that returns the samples' mean, or each one's.
        outputs: What the model returned.
        targets: The targets.
        count: How many samples there are.
        probabilities: The outputs are those of a softmax, not logits.

    Raises:
        DataError: Targets are missing or do not fit.
        SettingError: The loss returns something else.
    """
    ops = keras.ops
    value = _named(loss, outputs, targets, probabilities) if isinstance(loss, str) else loss(outputs, targets)
    shape = tuple(getattr(value, "shape", ("?",)))
    if shape not in ((), (count,)):
        raise SettingError(
            f"loss: returns the samples' mean, or one loss for each of {count} samples; received {shape}."
        )
    return value * count if shape == () else ops.sum(value)


def _named(loss: str, outputs: Any, targets: Any, probabilities: bool) -> Any:
    ops = keras.ops
    first: Sequence[Any] = keras.tree.flatten(outputs)
    if targets is None or not first:
        raise DataError(f"loss: {loss!r} needs an output tensor and targets. Give the data as (X, y).")
    output, wanted = first[0], ops.convert_to_tensor(targets)
    given, made = tuple(wanted.shape), tuple(output.shape)
    if loss == "mse":
        if given != made:
            raise DataError(f"loss: the outputs have shape {made}, the targets {given}.")
        squares = ops.square(output - ops.cast(wanted, output.dtype))
        return ops.mean(squares, axis=tuple(range(1, len(made)))) if len(made) > 1 else squares
    if "int" not in str(wanted.dtype) or given != made[:-1]:
        raise DataError(
            f"loss: 'cross_entropy' needs integer targets of shape {made[:-1]}, one class for each row of the outputs; "
            f"received {keras.backend.standardize_dtype(wanted.dtype)} of shape {given}."
        )
    rows = ops.sparse_categorical_crossentropy(wanted, output, from_logits=not probabilities)
    return ops.mean(rows, axis=tuple(range(1, len(given)))) if len(given) > 1 else rows


def as_numbers(tensor: Any) -> NDArray[np.floating]:
    """Return a tensor as an array of floating numbers that NumPy reduces; half types as float32."""
    array = array_of(tensor)
    return array.astype(np.float32) if array.dtype.name in ("bfloat16", "float16") else array
