"""torch modules as test cases, and the built-in ones."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from torch import nn

from genewright.backends.torch.copying import copy_module
from genewright.conformance.cases import Case
from genewright.conformance.generators import reseeded


class TorchCase(Case):
    """A torch module."""

    def fresh(self) -> nn.Module:
        """Return a copy; a module that the library refuses to copy is copied by Python."""
        try:
            return copy_module(self.model)
        except Exception:
            return copy.deepcopy(self.model)

    def traits(self, model: nn.Module) -> dict[str, object]:
        traits: dict[str, object] = {"class": type(model)}
        tensors = _tensors(model)
        for name, tensor in tensors.items():
            tied = tuple(other for other, it in tensors.items() if it is tensor)
            about: tuple[object, ...] = (type(tensor), tensor.dtype, str(tensor.device), tensor.requires_grad, tied)
            if not _is_lazy(tensor):
                about += (tuple(tensor.shape), tensor.stride() if tensor.layout == torch.strided else None)
            traits[name] = about
        for name, module in _modules(model):
            hooks = {key: len(value) for key, value in vars(module).items() if key.endswith("_hooks") and value}
            traits[f"module {name!r}"] = (type(module), module.training, hooks)
        return traits

    def content(self, model: nn.Module) -> dict[str, bytes]:
        return {
            name: tensor.detach().cpu().resolve_conj().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
            for name, tensor in _tensors(model).items()
            if not (_is_lazy(tensor) or tensor.is_meta or tensor.is_quantized or tensor.layout != torch.strided)
        }

    def places(self, model: nn.Module) -> dict[str, object]:
        return {
            name: (id(tensor), 0 if _is_lazy(tensor) or tensor.is_meta else tensor.data_ptr())
            for name, tensor in _tensors(model).items()
        }

    def reordered(self, model: nn.Module, *, runs: bool) -> nn.Module:
        for _, module in _modules(model):
            held: list[dict[str, Any]] = [vars(module)["_parameters"], vars(module)["_buffers"]]
            if not (runs and isinstance(module, _ORDERED)):
                held.append(vars(module)["_modules"])
            for each in held:
                entries = list(each.items())
                each.clear()
                each.update(reversed(entries))
        return model

    def doubled(self) -> nn.Module | None:
        if any(tensor.is_complex() or not tensor.is_floating_point() for tensor in self.model.parameters()):
            return None
        return self.fresh().double()


CASE = TorchCase
_ORDERED = (nn.Sequential, nn.ModuleList, nn.ModuleDict)  # their order is what they compute


def networks() -> dict[str, Any]:
    """Return modules by name, or pairs (module, example input); the global generator stays as it is."""
    with reseeded(0):
        usual: dict[str, Any] = {name: (make(), example()) for name, (make, example) in _USUAL.items()}
        odd: dict[str, Any] = {name: make() for name, make in _ODD.items()}
    return usual | odd


class _TiedLanguageModel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 6, padding_idx=0)
        self.recurrent = nn.LSTM(6, 6, batch_first=True)
        self.head = nn.Linear(6, 11)
        self.head.weight = self.embedding.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        states: torch.Tensor = self.recurrent(self.embedding(tokens))[0]
        return self.head(states)


class _Positions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places, self.head = nn.Embedding(11, 6), nn.Embedding(7, 6), nn.Linear(6, 3)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        places: torch.Tensor = self.places(torch.arange(tokens.shape[1], device=tokens.device))
        return self.head(self.tokens(tokens) + places)


class _Scalars(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.empty = nn.Parameter(torch.empty(0, 3))
        self.linear = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * self.linear(x)


def _mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.LayerNorm(8), nn.Linear(8, 3))


def _convolutional() -> nn.Module:
    first, norm = nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6)
    first.register_forward_hook(_hook)
    model: Any = nn.Sequential(first, norm, nn.ReLU(), nn.Flatten(), nn.Linear(24, 4))
    norm.eval()
    return model.to(memory_format=torch.channels_last)


def _hook(module: nn.Module, inputs: Any, output: Any) -> None:
    """Do nothing; it is here to be kept."""


def _frozen() -> nn.Module:
    model = _mlp()
    next(model.parameters()).requires_grad_(False)
    return model


def _transposed() -> nn.Module:
    model = nn.Linear(4, 6)
    model.weight = nn.Parameter(torch.randn(4, 6).t())
    return model


def _broken(value: float) -> nn.Module:
    model = _mlp()
    with torch.no_grad():
        next(model.parameters())[0, 0] = value
    return model


class _Attention(nn.Module):
    """A pre-norm block with its heads written out."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = 3
        self.before, self.between = nn.LayerNorm(6), nn.LayerNorm(6)
        self.query, self.key, self.value, self.out = (nn.Linear(6, 6) for _ in range(4))
        self.up, self.act, self.down = nn.Linear(6, 9), nn.GELU(), nn.Linear(9, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.before(x)
        q, k, v = (
            layer(y).unflatten(-1, (self.heads, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        y = nn.functional.scaled_dot_product_attention(q, k, v)
        x = x + self.out(y.transpose(1, 2).flatten(2))
        return x + self.down(self.act(self.up(self.between(x))))


class _Tower(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Linear(4, 6)
        self.blocks = nn.Sequential(_Attention(), _Attention())
        self.norm = nn.LayerNorm(6)
        self.head = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.blocks(self.embedding(x))))


def _vectors() -> torch.Tensor:
    return torch.randn(4, 5)


_USUAL: dict[str, tuple[Callable[[], nn.Module], Callable[[], Any]]] = {
    "mlp": (_mlp, _vectors),
    "convolutional, channels_last, a hook": (_convolutional, lambda: torch.randn(2, 3, 4, 4)),
    "tied language model": (_TiedLanguageModel, lambda: torch.randint(0, 11, (2, 5))),
    "learned positions": (_Positions, lambda: torch.randint(0, 11, (2, 5))),
    "transformer layer": (
        lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval(),
        lambda: torch.randn(2, 3, 8),
    ),
    "residual blocks of attention": (lambda: _Tower().eval(), lambda: torch.randn(2, 5, 4)),
    "partly frozen": (_frozen, _vectors),
    "bfloat16": (lambda: _mlp().bfloat16(), _vectors),
    "float16": (lambda: _mlp().half(), _vectors),
    "float64": (lambda: _mlp().double(), _vectors),
    "transposed": (_transposed, lambda: torch.randn(2, 4)),
    "scalars and empty tensors": (_Scalars, lambda: torch.randn(2, 3)),
}
_ODD: dict[str, Callable[[], nn.Module]] = {
    "a module without tensors": nn.Identity,
    "everything frozen": lambda: nn.Linear(3, 2).requires_grad_(False),
    "only statistics": lambda: nn.BatchNorm1d(4, affine=False),
    "complex": lambda: nn.Linear(3, 2, dtype=torch.complex64),
    "holds NaN": lambda: _broken(float("nan")),
    "holds infinity": lambda: _broken(float("inf")),
    "lazy": lambda: nn.Sequential(nn.LazyLinear(3)),
    "on the meta device": lambda: nn.Linear(3, 2, device="meta"),
    "one weight": lambda: nn.Linear(1, 1, bias=False),
}


def _tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    named: list[tuple[str, torch.Tensor]] = [
        *model.named_parameters(remove_duplicate=False),
        *model.named_buffers(remove_duplicate=False),
    ]
    return dict(named)


def _modules(model: nn.Module) -> Iterable[tuple[str, nn.Module]]:
    return cast(Iterable[tuple[str, nn.Module]], model.named_modules(remove_duplicate=True))


def _is_lazy(tensor: torch.Tensor) -> bool:
    return isinstance(tensor, nn.UninitializedParameter | nn.UninitializedBuffer)
