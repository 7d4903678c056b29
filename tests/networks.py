"""The table of small networks that tests are crossed with: each entry makes the same bytes every time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.utils import parametrizations


class Classifier(nn.Module):
    """A user's own nested class, with a name that no framework knows."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.ModuleDict({"first": nn.Linear(5, 7), "second": nn.Linear(7, 6)})
        self.head = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.body.values():
            x = layer(x).relu()
        return self.head(x)


class TiedAutoencoder(nn.Module):
    """The head reads with the embedding's own matrix, and comes before it by alphabet."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Embedding(9, 5)
        self.decoder = nn.Linear(5, 9)
        self.decoder.weight = self.encoder.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.encoder(tokens))


class SharedModule(nn.Module):
    """One sub-module under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.zeta = nn.Linear(4, 4)
        self.alpha = self.zeta

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.alpha(self.zeta(x))


class Lists(nn.Module):
    """Parameters in lists and dicts."""

    def __init__(self) -> None:
        super().__init__()
        self.list = nn.ParameterList([nn.Parameter(torch.randn(4, 3)), nn.Parameter(torch.randn(5))])
        self.dict = nn.ParameterDict({"left": nn.Parameter(torch.randn(6)), "right": nn.Parameter(torch.randn(2, 2))})


class Scalars(nn.Module):
    """0-d, empty and one-element parameters beside a usual one."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.nothing = nn.Parameter(torch.empty(0, 3))
        self.one = nn.Parameter(torch.ones(1))
        self.linear = nn.Linear(6, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * self.linear(x)


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "mlp": mlp,
    "mlp_bfloat16": lambda: mlp().bfloat16(),
    "mlp_float16": lambda: mlp().half(),
    "mlp_float64": lambda: mlp().double(),
    "conv_batchnorm": lambda: nn.Sequential(nn.Conv2d(3, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU()),
    "conv_grouped": lambda: nn.Sequential(nn.Conv1d(4, 8, 3, groups=2), nn.PReLU(8)),
    "conv_transpose": lambda: nn.Sequential(nn.ConvTranspose2d(3, 6, 2), nn.GroupNorm(2, 6)),
    "norms": lambda: nn.Sequential(nn.Linear(6, 6), nn.LayerNorm(6), nn.RMSNorm(6), nn.GroupNorm(3, 6)),
    "tied_autoencoder": TiedAutoencoder,
    "shared_module": SharedModule,
    "lstm": lambda: nn.LSTM(3, 4, num_layers=2, bidirectional=True),
    "gru": lambda: nn.GRU(3, 4),
    "attention": lambda: nn.MultiheadAttention(8, 2, add_bias_kv=True),
    "attention_kdim": lambda: nn.MultiheadAttention(8, 2, kdim=5, vdim=6),
    "transformer_layer": lambda: nn.TransformerEncoderLayer(8, 2, 16),
    "embedding_padding": lambda: nn.Sequential(nn.Embedding(7, 4, padding_idx=2), nn.Linear(4, 5)),
    "weight_norm": lambda: nn.Sequential(parametrizations.weight_norm(nn.Linear(5, 6)), nn.Linear(6, 4)),
    "spectral_norm": lambda: nn.Sequential(parametrizations.spectral_norm(nn.Linear(5, 6)), nn.Linear(6, 4)),
    "nested_class": Classifier,
    "parameter_lists": Lists,
    "scalars_and_empty": Scalars,
}


def make(name: str) -> nn.Module:
    """Make a network of the table; the global generator is as it was afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return NETWORKS[name]()
