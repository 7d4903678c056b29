"""The loss that gradients are taken of, summed over samples, so that each sample's gradient is its own."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from genewright.backends.torch.predict import tensors_of
from genewright.errors import DataError, SettingError


def loss_of(loss: Any, output: Any, targets: Any, count: int) -> torch.Tensor:
    """Return the sum of the samples' losses.

    Args:
        loss: "cross_entropy", "mse", or a function (outputs, targets) that returns the samples' mean, or each one's.
        output: What the model returned.
        targets: The targets, on the model's device.
        count: How many samples there are.

    Raises:
        DataError: Targets are missing or do not fit.
        SettingError: The loss is none of these, or returns something else.
    """
    value = _named(loss, output, targets) if isinstance(loss, str) else loss(output, targets)
    if not isinstance(value, torch.Tensor) or value.shape not in ((), (count,)):
        got = tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
        raise SettingError(f"loss: returns the samples' mean, or one loss for each of {count} samples; received {got}.")
    if not value.requires_grad:
        raise DataError("loss: does not depend on the model's output through operations that have gradients.")
    return value * count if value.dim() == 0 else value.sum()


def _named(loss: str, output: Any, targets: Any) -> torch.Tensor:
    outputs = next(tensors_of(output), None)
    if outputs is None or not isinstance(targets, torch.Tensor):
        raise DataError(f"loss: {loss!r} needs an output tensor and targets. Give the data as (X, y).")
    if loss == "mse":
        if outputs.shape != targets.shape:
            raise DataError(f"loss: the outputs have shape {tuple(outputs.shape)}, the targets {tuple(targets.shape)}.")
        return (outputs - targets).square().flatten(1).mean(1) if outputs.dim() > 1 else (outputs - targets).square()
    if targets.is_floating_point() or targets.shape != outputs.shape[:-1]:
        raise DataError(
            f"loss: 'cross_entropy' needs integer targets of shape {tuple(outputs.shape[:-1])}, one class for each row "
            f"of the outputs; received {targets.dtype} of shape {tuple(targets.shape)}."
        )
    totals = outputs.detach().double().sum(-1)
    if outputs.shape[-1] > 1 and bool((outputs >= 0).all() and ((totals - 1).abs() < 1e-3).all()):
        raise SettingError(
            "loss: 'cross_entropy' takes logits, and these outputs are probabilities: every row sums to 1. Write "
            "loss=lambda outputs, targets: torch.nn.functional.nll_loss(outputs.log(), targets)."
        )
    rows = functional.cross_entropy(outputs.flatten(0, -2), targets.flatten().long(), reduction="none")
    return rows.view(targets.shape[0], -1).mean(1)
