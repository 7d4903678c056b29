"""A layer's product of thin matrices, in the form that PEFT's layer of its kind has."""

from __future__ import annotations

import torch
from torch import nn

from genewright.errors import UnsupportedError

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def is_transposed(layer: nn.Module) -> bool:
    """Whether the layer is transformers' Conv1D: a linear layer whose weight is (inputs, outputs)."""
    return type(layer).__name__ == "Conv1D" and type(layer).__module__.startswith("transformers")


def lora_tensors(name: str, layer: nn.Module, left: torch.Tensor, right: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return PEFT's tensors, by the end of their names, for a weight that changes by left right^T.

    Args:
        name: The layer's name.
        layer: The layer.
        left: (rows, rank), rows those of the weight as a matrix.
        right: (columns, rank).

    Raises:
        UnsupportedError: PEFT has no such layer.
    """
    if isinstance(layer, nn.Embedding):  # PEFT adds (B A)^T
        return {"lora_embedding_A": left.T.contiguous(), "lora_embedding_B": right.contiguous()}
    if is_transposed(layer):
        return {"lora_A.weight": left.T.contiguous(), "lora_B.weight": right.contiguous()}
    if type(layer) is nn.Linear:
        return {"lora_A.weight": right.T.contiguous(), "lora_B.weight": left.contiguous()}
    if isinstance(layer, _CONVOLUTIONS) and layer.groups == 1:
        window = layer.weight.shape[1:]
        mixing = left.reshape(*left.shape, *(1,) * (len(window) - 1))
        return {"lora_A.weight": right.T.reshape(-1, *window).contiguous(), "lora_B.weight": mixing.contiguous()}
    grouped = " with groups" if isinstance(layer, _CONVOLUTIONS) else ""
    raise UnsupportedError(
        f"A LoRA adapter cannot change {name!r}, a {type(layer).__name__}{grouped}: it knows Linear, Embedding, "
        "convolutions without groups, and transformers' Conv1D. Leave the layer out of the mutation's where=, or write "
        "gw.save(mutant, 'mutant.safetensors')."
    )
