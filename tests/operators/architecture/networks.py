"""Small networks to deepen and rewire: (model, input) by name, the same bytes every time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn


class Plain(nn.Module):
    """Layers as attributes, an activation that forward calls as a function."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.act = nn.ReLU()
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, stride=2)
        self.head = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.norm(self.conv(x)))
        return self.head(torch.relu(self.conv2(x)).mean((2, 3)))


class Residual(nn.Module):
    """A residual block with its norms and a ReLU at the end."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(x + self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))))


class Resnet(nn.Module):
    """Blocks in a chain and as an attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.stage = nn.Sequential(Residual(6), Residual(6))
        self.last = Residual(6)
        self.head = nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.last(self.stage(self.stem(x))).mean((2, 3)))


class Layer(nn.Module):
    """A pre-norm layer that knows its number."""

    def __init__(self, layer_idx: int) -> None:
        super().__init__()
        self.layer_idx = layer_idx
        self.norm = nn.LayerNorm(8)
        self.up = nn.Linear(8, 12)
        self.act = nn.GELU()
        self.down = nn.Linear(12, 8)

    def forward(self, x: torch.Tensor, *, scale: float) -> tuple[torch.Tensor, None]:
        return x + scale * self.down(self.act(self.up(self.norm(x)))), None


class Config:
    """What a model says of itself."""

    def __init__(self, num_hidden_layers: int) -> None:
        self.num_hidden_layers = num_hidden_layers
        self.layer_types = ["full", "sliding", "full"][:num_hidden_layers]


class Stack(nn.Module):
    """Layers in a list, as decoders have them: numbered, counted in a config, called with more than one argument."""

    def __init__(self) -> None:
        super().__init__()
        self.config = Config(3)
        self.num_layers = 3
        self.layers = nn.ModuleList([Layer(i) for i in range(3)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert [layer.layer_idx for layer in self.layers] == list(range(len(self.layers)))
        for layer in self.layers[: self.config.num_hidden_layers]:
            x, _ = layer(x, scale=0.5)
        return x


def _mlp() -> tuple[nn.Module, Any]:
    return nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 3)), torch.randn(4, 5)


def _transformer() -> tuple[nn.Module, Any]:
    layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True, norm_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), torch.randn(2, 5, 8)


NETWORKS: dict[str, Callable[[], tuple[nn.Module, Any]]] = {
    "mlp": _mlp,
    "plain": lambda: (Plain(), torch.randn(2, 3, 6, 6)),
    "resnet": lambda: (Resnet(), torch.randn(2, 3, 6, 6)),
    "stack": lambda: (Stack(), torch.randn(2, 4, 8)),
    "transformer": _transformer,
}


def make(name: str) -> tuple[nn.Module, Any]:
    """Build a network and an input for it; norms and constant tensors are drawn, so that every layer shows."""
    state = torch.random.get_rng_state()
    torch.manual_seed(7)
    try:
        model, example = NETWORKS[name]()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() == 1:
                    parameter.add_(0.3 * torch.randn_like(parameter))
            for key, buffer in model.named_buffers():
                if key.endswith("running_mean"):
                    buffer.normal_(std=0.2)
                elif key.endswith("running_var"):
                    buffer.uniform_(0.5, 1.5)
        return model.eval(), example
    finally:
        torch.random.set_rng_state(state)


def factory(name: str) -> Callable[[], nn.Module]:
    """Return what makes the bare model again, as `gw.load` wants it."""
    return lambda: NETWORKS[name]()[0].eval()
