"""Units that a table of measures chose are what every operator on weights takes: ``where(units=table.mask())``."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw
from genewright.operator import registered

OTHERS = {"set_weights": {"values": (0.5,)}}
"""Settings of operators whose defaults change nothing here."""
OPERATORS = {
    name: cls
    for name, cls in registered().items()
    if ".operators.weights." in cls.__module__ and "where" in getattr(cls, "__dataclass_fields__", {})
}


class Net(nn.Module):
    """Units of every kind: an embedding's rows, cells, heads, channels behind a norm, features."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.Embedding(7, 8)
        self.cells = nn.LSTM(8, 6, batch_first=True)
        self.conv = nn.Conv1d(6, 4, 3)
        self.norm = nn.BatchNorm1d(4)
        self.out = nn.Linear(4, 3)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        states, _ = self.cells(self.rows(tokens))
        return self.out(torch.relu(self.norm(self.conv(states.transpose(1, 2)))).mean(2))


@pytest.mark.parametrize("name", OPERATORS)
def test_only_units_of_the_mask_change(name: str) -> None:
    torch.manual_seed(0)
    net = Net().eval()
    tokens = torch.arange(7).repeat(3, 1)
    table = gw.neurons.measure(net, tokens, measures="variance")
    chosen = table.filter("unit == 1 | unit == 3")
    masks = chosen.mask()
    fields: Any = OPERATORS[name].__dataclass_fields__  # type: ignore[attr-defined]
    settings = {**OTHERS.get(name, {}), **({"rate": 1.0} if "rate" in fields else {}), "where": gw.where(units=masks)}
    mutant = gw.mutate(
        net, OPERATORS[name](**settings), seed=1, example=tokens if name == "safe_gaussian_noise" else None
    )
    held = {"rows.weight": (7, 1), "out.weight": (3, 1), "out.bias": (3, 1), "conv.weight": (4, 1)}  # units, gates
    held |= dict.fromkeys(("conv.bias", "norm.weight", "norm.bias"), (4, 1))
    held |= {f"cells.{one}_l0": (6, 4) for one in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    changed: set[str] = set()
    for tensor, old in net.state_dict().items():
        moved = (mutant.state_dict()[tensor] != old).reshape(old.shape)
        if tensor not in held:
            assert not moved.any()
            continue
        units, gates = held[tensor]
        mine = torch.tensor([unit in (1, 3) for unit in range(units)]).repeat(gates)
        assert not moved.reshape(len(mine), -1)[~mine].any()
        if moved.any():
            changed.add(tensor)
    assert changed, "nothing was chosen at all"
