"""Small torch networks of drawn sizes: hypothesis strategies that yield (factory, example)."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from hypothesis import strategies as st
from torch import nn

Drawn = tuple[Callable[[], nn.Module], Any]

ACTIVATIONS: tuple[Callable[[], nn.Module], ...] = (nn.ReLU, nn.GELU, nn.Tanh)


def mlp(widths: tuple[int, ...], activation: int, *, norm: bool, double: bool) -> nn.Module:
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [nn.Linear(before, after), *([nn.LayerNorm(after)] if norm else []), ACTIVATIONS[activation]()]
    model = nn.Sequential(*layers, nn.Linear(widths[-1], 3))
    return model.double() if double else model


class Block(nn.Module):
    """A residual block with BatchNorm."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, inner, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.act = nn.ReLU()
        self.conv2 = nn.Conv2d(inner, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv2(self.act(self.bn1(self.conv1(x))))


class Convolutional(nn.Module):
    """A stem, residual blocks in a chain, a depthwise convolution, a linear head."""

    def __init__(self, width: int, inner: int, depth: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.act = nn.ReLU()
        self.blocks = nn.Sequential(*(Block(width, inner) for _ in range(depth)))
        self.depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.head = nn.Linear(width, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.blocks(self.act(self.norm(self.stem(x))))
        return self.head(torch.relu(self.depthwise(x)).mean((2, 3)))


class Layer(nn.Module):
    """A pre-norm layer of attention with its heads written out."""

    def __init__(self, heads: int, size: int, hidden: int) -> None:
        super().__init__()
        self.num_heads = heads
        width = heads * size
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.act, self.fc2 = nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(batch, length, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        x = x + self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, length, -1))
        return x + self.fc2(self.act(self.fc1(self.norm2(x))))


class Transformer(nn.Module):
    """Embedding, layers in a list, a head that may be tied to the embedding."""

    def __init__(self, heads: int, size: int, hidden: int, depth: int, *, tied: bool) -> None:
        super().__init__()
        width = heads * size
        self.embed = nn.Embedding(7, width)
        self.layers = nn.ModuleList(Layer(heads, size, hidden) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 7, bias=False)
        if tied:
            self.head.weight = self.embed.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embed(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))


def seeded(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Return the network with nothing left at a constant, the same bytes every time; the global generator stays."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = make()
        with torch.no_grad():
            for name, tensor in (*model.named_parameters(), *model.named_buffers()):
                if tensor.is_floating_point() and tensor.dim() == 1:
                    tensor.add_(0.3 * torch.randn_like(tensor))
                    if "running_var" in name:
                        tensor.abs_().add_(0.5)
        return model.eval()


def example(shape: tuple[int, ...], *, tokens: bool = False, double: bool = False) -> torch.Tensor:
    generator = torch.Generator().manual_seed(11)
    if tokens:
        return torch.randint(0, 7, shape, generator=generator)
    return torch.randn(shape, generator=generator, dtype=torch.float64 if double else torch.float32)


@st.composite
def mlps(draw: st.DrawFn) -> Drawn:
    widths = tuple(draw(st.lists(st.integers(2, 6), min_size=2, max_size=4)))
    norm, double = draw(st.booleans()), draw(st.booleans())
    make = functools.partial(mlp, widths, draw(st.integers(0, 2)), norm=norm, double=double)
    return make, example((3, widths[0]), double=double)


@st.composite
def convolutional(draw: st.DrawFn) -> Drawn:
    sizes = [draw(st.integers(2, 4)), draw(st.integers(2, 4)), draw(st.integers(1, 2))]
    return functools.partial(Convolutional, *sizes), example((2, 2, 5, 5))


@st.composite
def transformers(draw: st.DrawFn) -> Drawn:
    sizes = [draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(2, 5)), draw(st.integers(1, 2))]
    return functools.partial(Transformer, *sizes, tied=draw(st.booleans())), example((2, 4), tokens=True)


def networks() -> st.SearchStrategy[Drawn]:
    return mlps() | convolutional() | transformers()
