"""Reductions over samples and positions: by one pass of compiled code, else by torch, where the values lie."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import numpy as np
import torch

from genewright.observation import Numbers
from genewright.reductions.reduction import Reduction, reduced_at_once

_BLOCK = 1 << 16  # elements for each thread: in float64 half a megabyte


def reduced(values: torch.Tensor, position_axis: int, wanted: Iterable[Reduction]) -> dict[Reduction, Numbers]:
    """Return reductions of every unit's values, in float64.

    Args:
        values: Shape (samples, units, positions) or (samples, positions, units).
        position_axis: 2 or 1.
        wanted: Which.
    """
    unit_axis, keys = 3 - position_axis, list(wanted)
    if values.device.type == "cpu" and values.dtype in (torch.float32, torch.float64):
        array = values.detach().numpy()  # pyright: ignore[reportUnknownMemberType]  # its own memory
        found = reduced_at_once(array, unit_axis, keys, torch.get_num_threads())
        if found is not None:
            return {key: found[key] for key in keys}
    units, each = values.shape[unit_axis], max(1, values.shape[0] * values.shape[position_axis])
    step = max(1, _BLOCK * torch.get_num_threads() // each) if values.device.type == "cpu" else max(1, units)
    parts: dict[Reduction, list[torch.Tensor]] = {key: [] for key in keys}
    for start in range(0, units, step):
        block = _Block(values.narrow(unit_axis, start, min(step, units - start)), (0, position_axis))
        for key in keys:
            parts[key].append(block.reduced(*key))
    return {key: array_of_numbers(torch.cat(each)) for key, each in parts.items()}


def array_of_numbers(tensor: torch.Tensor) -> Numbers:
    """Return a tensor's numbers as an array of float64."""
    array: Numbers = tensor.detach().cpu().double().numpy()  # pyright: ignore[reportUnknownMemberType]
    return array


class _Block:
    """Some units' values."""

    def __init__(self, raw: torch.Tensor, over: tuple[int, int]) -> None:
        self._raw, self._over = raw, over

    def reduced(self, name: str, number: float) -> torch.Tensor:
        if name == "sums":
            return self._sums
        if name == "squares":
            return self._wide.square().sum(self._over)
        if name == "lowest":
            return self._lowest
        if name == "highest":
            return self._raw.amax(self._over)
        if name == "distances":
            return self._distances(number)
        exact = self._raw.dtype == torch.float32 and float(np.float32(number)) == number
        values = self._raw if exact else self._wide
        compare = torch.gt if name == "above" else torch.eq
        ones = compare(values, number, out=torch.empty_like(values))  # written and summed much faster than bools
        few = ones.numel() < 1 << 24  # up to there float32 counts exactly
        return ones.sum(self._over, dtype=ones.dtype if few else torch.float64).double()

    @functools.cached_property
    def _wide(self) -> torch.Tensor:
        return self._raw.double()

    @functools.cached_property
    def _sums(self) -> torch.Tensor:
        return self._wide.sum(self._over)

    @functools.cached_property
    def _lowest(self) -> torch.Tensor:
        return self._raw.amin(self._over)

    def _distances(self, centre: float) -> torch.Tensor:
        if centre == 0 and bool((self._lowest >= 0).all()):  # behind a ReLU the absolute values are the values
            return self._sums
        return (self._wide.abs() if centre == 0 else (self._wide - centre).abs_()).sum(self._over)
