"""NaN as a dye: which column of a reader a unit reaches is seen in a few runs, and has to be what the knob says.

Units are numbered in binary. For every bit the units that have it are set to NaN, and then those that have it not: a
column that one unit alone reaches shows NaN in one of the two runs, and its bits spell the unit's number.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import nn

from genewright.backends import backend_of
from genewright.widths.knob import Knob, Place
from tests.operators.architecture.wide_networks import NETWORKS, make


class _Shuffled(nn.Module):
    """Shuffled channels that are laid beside others, then flattened."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 12, 1)
        self.side = nn.Conv2d(3, 5, 1)
        self.norm = nn.BatchNorm2d(12)
        self.mix = nn.Conv2d(17, 6, 1)
        self.head = nn.Linear(6 * 4 * 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.gelu(self.norm(self.stem(x)))
        y = y.view(len(y), 3, 4, *y.shape[2:]).transpose(1, 2).flatten(1, 2)
        return self.head(F.adaptive_avg_pool2d(F.relu(self.mix(torch.cat([self.side(x), y], 1))), 4).flatten(1))


def _shuffled() -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(3)
    return _Shuffled().eval(), torch.randn(2, 3, 8, 8)


def _seen(network: nn.Module, example: Any, knob: Knob, place: Place, layer: str, units: list[int]) -> list[bool]:
    """Return which columns of a reader are NaN when these units are."""
    sick = copy.deepcopy(network)
    tensors = dict(sick.named_parameters(remove_duplicate=False)) | dict(sick.named_buffers())
    layers = dict(sick.named_modules())
    columns: list[bool] = []
    with torch.no_grad():
        for other in knob.places:
            if "reader" not in other.roles:
                at = [p for p, unit in enumerate(knob.units(other)) if unit in units]
                tensors[other.tensor].index_fill_(other.axis, torch.tensor(at, dtype=torch.long), math.nan)

        def look(module: nn.Module, args: tuple[Any, ...]) -> tuple[torch.Tensor, ...]:
            if module is layers[layer]:
                given = args[0].movedim(-1 if isinstance(module, nn.Linear) else 1, 0).flatten(1)
                columns[:] = given.isnan().any(1).tolist()
            return (args[0].nan_to_num(),)  # it stays where it was seen

        for reader in {p.tensor.rpartition(".")[0] for p in knob.places if "reader" in p.roles}:
            layers[reader].register_forward_pre_hook(look)
        sick(example)
    return columns


def _reached(network: nn.Module, example: Any, knob: Knob, place: Place, layer: str) -> list[int]:
    """Return for every column the one unit that reaches it; -1 where none does."""
    bits = max(1, math.ceil(math.log2(knob.size)))
    numbers: list[list[str]] = []
    for bit in range(bits):
        ones = [unit for unit in range(knob.size) if unit >> bit & 1]
        zeros = [unit for unit in range(knob.size) if not unit >> bit & 1]
        runs = [_seen(network, example, knob, place, layer, units) for units in (zeros, ones)]
        numbers.append(
            ["01"[one] if zero != one else "-" if not zero else "+" for zero, one in zip(*runs, strict=True)]
        )
    out: list[int] = []
    for spelled in zip(*numbers, strict=True):
        assert "+" not in spelled, "a column that several units reach"
        assert set(spelled) == {"-"} or "-" not in spelled
        out.append(-1 if "-" in spelled else sum(int(digit) << at for at, digit in enumerate(spelled)))
    return out


@pytest.mark.parametrize("name", [*(name for name in NETWORKS if name != "recurrent"), "shuffled"])
def test_units_reach_the_columns_that_the_knob_says(name: str) -> None:
    network, example = _shuffled() if name == "shuffled" else make(name)
    layers = dict(network.named_modules())
    looked = 0
    for knob in backend_of(network).network(network, example).structure.widths.knobs():
        if not (knob.hidden and knob.plain):
            continue
        for place in knob.places:
            layer = place.tensor.rpartition(".")[0]
            module = layers[layer]
            plain = isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.groups == 1)
            if place.roles == {"reader"} and plain and place.tensor.endswith(".weight"):
                assert _reached(network, example, knob, place, layer) == knob.units(place).tolist(), (
                    knob.name,
                    place.tensor,
                )
                looked += 1
    assert looked


def test_the_dye_finds_a_knob_that_is_wrong() -> None:
    network, example = _shuffled()
    knob = next(k for k in backend_of(network).network(network, example).structure.widths.knobs() if "stem" in k.layers)
    place = next(place for place in knob.places if place.tensor == "mix.weight")
    straight = [-1] * 5 + [unit for unit in range(knob.size) for _ in range(12 // knob.size)]
    assert _reached(network, example, knob, place, "mix") != straight
