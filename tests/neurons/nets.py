"""Small networks in float64 whose units are seen in every way there is: by layer, by call, in place, written out."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class Convolutions(nn.Module):
    """Convolutions: a norm and a ReLU in place behind one, a call behind another, a sum behind the third."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.act = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(6, 6, 3, padding=1)
        self.third = nn.Conv2d(6, 6, 1)
        self.head = nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.norm(self.first(x)))
        y = functional.relu(self.second(x))
        y = self.third(y)
        y += x  # in place, on what has been seen
        return self.head(y.mean((2, 3)))


class Tokens(nn.Module):
    """Tokens: rows that are looked up, an attention, a GELU written out, a gate, a recurrent layer."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = 4
        self.rows = nn.Embedding(11, 16)
        self.norm = nn.LayerNorm(16)
        self.qkv = nn.Linear(16, 48)
        self.out = nn.Linear(16, 16)
        self.wide = nn.Linear(16, 20)
        self.gate = nn.Linear(16, 20)
        self.back = nn.Linear(20, 16)
        self.recurrent = nn.LSTM(16, 5, batch_first=True)
        self.head = nn.Linear(5, 3)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.rows(tokens)
        b, t, _ = x.shape
        q, k, v = self.qkv(self.norm(x)).view(b, t, 3, self.heads, 4).permute(2, 0, 3, 1, 4)
        heads = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, t, -1)
        x = x + self.out(heads)
        h = self.wide(x)
        h = 0.5 * h * (1.0 + torch.tanh(0.8 * (h + 0.045 * torch.pow(h, 3.0))))
        x = x + self.back(h * torch.sigmoid(self.gate(x)))
        return self.head(self.recurrent(x)[0][:, -1])


def convolutions() -> tuple[nn.Module, tuple[torch.Tensor, torch.Tensor]]:
    """Return (network, (samples, classes)), seeded, in float64."""
    torch.manual_seed(3)
    net = Convolutions().double().eval()
    net.norm.running_mean.normal_()
    net.norm.running_var.uniform_(0.5, 2.0)
    return net, (torch.randn(21, 3, 6, 6, dtype=torch.float64), torch.randint(0, 4, (21,)))


def tokens() -> tuple[nn.Module, tuple[torch.Tensor, torch.Tensor]]:
    """Return (network, (samples, classes)), seeded, in float64."""
    torch.manual_seed(5)
    return Tokens().double().eval(), (torch.randint(0, 11, (17, 7)), torch.randint(0, 3, (17,)))
