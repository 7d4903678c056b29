"""Widths are tried where a run ends: the same verdict for every layer of one form, in few runs."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn

import genewright as gw


class Counted(nn.TransformerEncoder):
    """An encoder that counts its runs, on copies too."""

    runs: ClassVar[int] = 0

    def forward(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        Counted.runs += 1
        return super().forward(*args, **kwargs)


def test_layers_of_one_form_share_what_was_tried() -> None:
    encoder = Counted(nn.TransformerEncoderLayer(16, 2, 24, batch_first=True), 6, enable_nested_tensor=False)
    Counted.runs = 0
    knobs = gw.knobs(encoder, torch.randn(2, 5, 16))
    assert Counted.runs < 60  # 185 where every head is tried with every attribute
    for layer in range(6):
        assert knobs[f"layers.{layer}.linear1"].free
        for width in (1, 2):  # heads and their size: torch's own attention checks them against embed_dim
            pins = [str(pin) for pin in knobs[f"layers.{layer}.self_attn[{width}]"].pins]
            assert len(pins) == 1
            assert f"layers.{layer}.self_attn[{width}] cannot have" in pins[0]


class Odd(nn.Module):
    """Three blocks of one form; the second has its width written into the code."""

    def __init__(self) -> None:
        super().__init__()
        self.ups = nn.ModuleList(nn.Linear(4, 6) for _ in range(3))
        self.downs = nn.ModuleList(nn.Linear(6, 4) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for at, (up, down) in enumerate(zip(self.ups, self.downs, strict=True)):
            h = up(x).relu()
            if at == 1 and h.shape[1] != 6:
                raise ValueError("six units are meant")
            x = x + down(h)
        return x


def test_what_only_looks_alike_is_judged_by_itself() -> None:
    knobs = gw.knobs(Odd(), torch.randn(3, 4))
    assert [knobs[f"ups.{at}"].free for at in range(3)] == [True, False, True]
