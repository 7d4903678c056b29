"""Trial: what a pass of one individual takes, and whether vmap gives what the individual alone gives."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from genewright.backends.torch.draws import OwnDraws
from genewright.backends.torch.predict import tensors_of
from genewright.populations.torch.peak_memory import PeakMemory
from genewright.populations.torch.rows import Stacked, places_of, stacked_alike
from genewright.populations.torch.running import one_by_one

_LOG = logging.getLogger("genewright")
_AGREE = {torch.float64: 1e-9, torch.float32: 1e-3}  # of the largest output, what vmap may differ by; halves 5e-2
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_LARGE = 1 << 18  # bytes that an operation makes on average, above which convolutions gain nothing from a batch


@dataclass(frozen=True)
class Cost:
    """What one individual's pass takes.

    Attributes:
        peak: Bytes.
        together: Whether vmap does it, and no slower.
        draws: Whether it draws at random.
    """

    peak: int
    together: bool
    draws: bool


@dataclass(frozen=True)
class Alone:
    """A pass of one individual by itself.

    Attributes:
        outputs: With a first axis of one individual.
        cost: What it took.
        changes_buffers: Whether it left other buffers behind.
    """

    outputs: Any
    cost: Cost
    changes_buffers: bool


def run_alone(
    model: nn.Module, whole: Stacked, own_buffers: Mapping[str, torch.Tensor], inputs: Any, *, each: bool
) -> Alone:
    """Run the first individual by itself.

    Args:
        model: A module of its form.
        whole: Its parameters, stacked alone: the exact weights, which what vmap gives is held to.
        own_buffers: The buffers of each individual, or nothing where all have the model's.
        inputs: Its batch.
        each: Whether inputs have an axis of individuals.
    """
    draws, memory = OwnDraws(), PeakMemory()
    held = places_of(model, buffers=True)
    buffers = {n: r[:1].clone() for n, r in own_buffers.items()} if own_buffers else stacked_alike(held, 1)
    before = {name: rows[0].clone() for name, rows in buffers.items()}
    with draws, memory:
        tensors = {**buffers, **whole}
        outputs = one_by_one(model, tensors, inputs, each=each, count=1, fresh=_nothing)
    convolving = any(isinstance(one, _CONVOLUTIONS) for one in model.modules())
    large = convolving and memory.total > _LARGE * memory.operations
    changed = any(not torch.equal(rows[0], before[name]) for name, rows in buffers.items())
    return Alone(outputs, Cost(memory.peak, together=not large, draws=draws.drew), changed)


def difference(alone: Any, made: Any) -> str:
    """Return in what two outputs of one individual differ, or ""."""
    for one, other in zip(tensors_of(alone), tensors_of(made), strict=True):
        if one.shape != other.shape:
            return f"it gave shape {tuple(other.shape)} instead of {tuple(one.shape)}"
        if one.is_floating_point() and one.numel():
            size = float(one.nan_to_num().abs().max())
            off = float((one - other).nan_to_num().abs().max())
            if off > _AGREE.get(one.dtype, 5e-2) * size or not torch.equal(one.isnan(), other.isnan()):
                return f"its outputs differ by {off:.2g} of {size:.2g}"
        elif not one.is_floating_point() and not torch.equal(one, other):
            return "other integers came out"
    return ""


@lru_cache(maxsize=256)  # once for a class and a reason, however many populations there are
def say_one_by_one(model: type, reason: str) -> None:
    """Say in the log that the individuals of a model do not run together."""
    _LOG.warning(
        "gw.population runs the individuals of this %s one after the other, for torch.func.vmap cannot run them "
        "together (%s). The outputs are the same.",
        model.__name__,
        reason,
    )


@lru_cache(maxsize=256)
def say_apart(model: type, names: str) -> None:
    """Say in the log that functions of a model run of one individual after the other, and all else together."""
    _LOG.warning(
        "gw.population runs %s in this %s of one individual after the other, for torch.func.vmap cannot run that "
        "together; the rest of the model does. The outputs are the same.",
        names,
        model.__name__,
    )


def _nothing() -> None:
    """Draw on."""
