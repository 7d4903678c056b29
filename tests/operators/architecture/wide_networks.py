"""Small networks with every kind of width: (network, example), the same bytes every time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import nn


class Convolutions(nn.Module):
    """A stem with a norm, a depthwise and a grouped convolution, a head on flattened channels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.pointwise = nn.Conv2d(8, 6, 1)
        self.grouped = nn.Conv2d(6, 4, 3, groups=2)
        self.head = nn.Linear(16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.norm(self.stem(x)))
        x = F.gelu(self.pointwise(F.relu6(self.depthwise(x))))
        return self.head(F.adaptive_avg_pool2d(self.grouped(x), 2).flatten(1))


class Concatenated(nn.Module):
    """Branches laid side by side, as in Inception and DenseNet."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 5, 1)
        self.b = nn.Conv2d(3, 7, 3, padding=1)
        self.norm = nn.BatchNorm2d(12)
        self.c = nn.Conv2d(12, 4, 1)
        self.head = nn.Conv2d(16, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.norm(torch.cat([self.a(x), self.b(x)], 1)))
        return self.head(torch.cat([x, self.c(x)], 1)).mean((2, 3))


class Gated(nn.Module):
    """A gated MLP whose two halves are one layer, as in Llama-like models."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Linear(6, 20)
        self.down = nn.Linear(10, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate, value = self.up(x).chunk(2, dim=-1)
        return self.down(F.silu(gate) * value)


class Attention(nn.Module):
    """A pre-norm transformer layer with a fused projection."""

    def __init__(self) -> None:
        super().__init__()
        self.num_heads = 4
        self.embed = nn.Embedding(11, 16)
        self.position = nn.Parameter(torch.randn(1, 5, 16) / 4)
        self.norm1 = nn.LayerNorm(16)
        self.qkv = nn.Linear(16, 48)
        self.proj = nn.Linear(16, 16)
        self.norm2 = nn.LayerNorm(16)
        self.fc1 = nn.Linear(16, 24)
        self.fc2 = nn.Linear(24, 16)
        self.norm3 = nn.LayerNorm(16)
        self.head = nn.Linear(16, 3)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embed(tokens) + self.position
        batch, length, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(batch, length, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        x = x + self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, length, -1))
        x = x + self.fc2(F.gelu(self.fc1(self.norm2(x))))
        return self.head(self.norm3(x).mean(1))


class Tied(nn.Module):
    """One weight under two names, and another that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 12)
        self.again = nn.Linear(6, 12)
        self.again.weight = self.first.weight
        self.last = nn.Linear(12, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.tanh(self.first(x)) + torch.tanh(self.again(x.flip(0))))


class Halves(nn.Module):
    """Halves of what one layer writes: one goes on as it is, as in ShuffleNet and cross-stage networks."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 1)
        self.inner = nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Conv2d(8, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept, taken = F.relu(self.stem(x)).chunk(2, dim=1)
        return self.head(torch.cat([kept, F.relu(self.inner(taken))], 1))


class Scales(nn.Module):
    """Pieces of one length, which an attribute holds, each added to the next, as in Res2Net."""

    def __init__(self) -> None:
        super().__init__()
        self.width = 3
        self.stem = nn.Conv2d(3, 9, 1)
        self.inner = nn.ModuleList(nn.Conv2d(3, 3, 1) for _ in range(2))
        self.head = nn.Conv2d(9, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pieces = torch.split(F.relu(self.stem(x)), self.width, 1)
        done = [F.relu(self.inner[0](pieces[0]))]
        done.append(F.relu(self.inner[1](done[0] + pieces[1])))
        return self.head(torch.cat([*done, pieces[2]], 1))


class Listed(nn.Module):
    """Lengths of pieces in a tuple, of which two follow one width, as in MambaOut."""

    def __init__(self) -> None:
        super().__init__()
        self.lengths = (8, 5, 3)
        self.up = nn.Linear(6, 16)
        self.mixed = nn.Linear(3, 3)
        self.down = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate, plain, taken = torch.split(self.up(x), self.lengths, dim=-1)
        return self.down(F.gelu(gate) * torch.cat([plain, self.mixed(taken)], -1))


class Recurrent(nn.Module):
    """An LSTM of two layers between linear ones."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Linear(4, 5)
        self.cells = nn.LSTM(5, 6, 2, batch_first=True)
        self.down = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(self.cells(torch.tanh(self.up(x)))[0][:, -1])


class Literal(nn.Module):
    """A width that the code spells out."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(6, 12)
        self.b = nn.Linear(12, 3)
        self.unused = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(self.a(x).view(-1, 12) * 2)


class LooksAtValues(nn.Module):
    """Control flow that depends on the data."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(6, 12)
        self.b = nn.Linear(12, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.a(x))
        return self.b(hidden) if bool((x.sum() > -1e9).item()) else self.b(hidden * 2)


_IMAGE = (2, 3, 8, 8)

NETWORKS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Any]]] = {
    "convolutions": (Convolutions, lambda: torch.randn(_IMAGE)),
    "concatenated": (Concatenated, lambda: torch.randn(_IMAGE)),
    "gated": (Gated, lambda: torch.randn(3, 6)),
    "attention": (Attention, lambda: torch.randint(0, 11, (2, 5))),
    "tied": (Tied, lambda: torch.randn(3, 6)),
    "looks_at_values": (LooksAtValues, lambda: torch.randn(3, 6)),
    "halves": (Halves, lambda: torch.randn(_IMAGE)),
    "scales": (Scales, lambda: torch.randn(_IMAGE)),
    "listed": (Listed, lambda: torch.randn(3, 6)),
    "recurrent": (Recurrent, lambda: torch.randn(2, 5, 4)),
}


def make(name: str) -> tuple[nn.Module, Any]:
    """Return a network with nothing left at a constant, and an example."""
    build, example = NETWORKS[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        network = build()
        with torch.no_grad():
            for tensor in (*network.parameters(), *network.buffers()):
                if tensor.is_floating_point() and bool((tensor == tensor.flatten()[0]).all()):
                    tensor.copy_(torch.rand(tensor.shape) + 0.5)
        return network.eval(), example()
