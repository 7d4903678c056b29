"""Which layers stand at a model's ends, told from a run alone, with nothing of genewright."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d)


def classifier_of(model: nn.Module, example: Any) -> str | None:
    """Return the name of the last layer to run that has as many outputs as the model's scores.

    The scores are the output, where it is one tensor of two axes, else what is called `logits`. A layer whose weight is
    the table of words too is none: the words are another end. timm's models of no classes put out features.
    """
    if getattr(model, "num_classes", None) == 0:
        return None
    ran: list[str] = []
    layers = {name: module for name, module in model.named_modules() if isinstance(module, _LAYERS)}
    output = _run(model, example, layers, lambda name, _: ran.append(name))
    scores = output if isinstance(output, torch.Tensor) else getattr(output, "logits", None)
    if not isinstance(scores, torch.Tensor) or scores.dim() < 2:
        return None
    tables = {module.weight.data_ptr() for module in model.modules() if hasattr(module, "num_embeddings")}
    tables |= {module.weight.data_ptr() for module in _own_table(model)}
    size = scores.shape[1] if scores.dim() == 4 else scores.shape[-1]
    written = [name for name in ran if layers[name].weight.shape[0] == size]
    if not written or layers[written[-1]].weight.data_ptr() in tables:
        return None
    return written[-1]


def table_of_words(model: nn.Module, example: Any) -> str | None:
    """Return the name of the table that the model says is that of its words, or that is looked up by the example's own.

    A model that looks up hashes of its words has none.
    """
    words = [tensor for tensor in tensors_of(example) if not tensor.is_floating_point()]
    tables = {name: module for name, module in model.named_modules() if isinstance(module, nn.Embedding)}
    found = [name for name, module in model.named_modules() if any(module is own for own in _own_table(model))]

    def note(name: str, numbers: torch.Tensor) -> None:
        if any(numbers.numel() == one.numel() and torch.equal(numbers.flatten(), one.flatten()) for one in words):
            found.append(name)

    _run(model, example, tables, note)
    return found[0] if found else None


def tensors_of(example: Any) -> list[torch.Tensor]:
    """Return the tensors of an example."""
    return list(example.values()) if isinstance(example, dict) else [example]


def _own_table(model: nn.Module) -> list[nn.Module]:
    try:
        own = model.get_input_embeddings()
    except (AttributeError, NotImplementedError):
        return []
    return [own] if isinstance(getattr(own, "weight", None), torch.Tensor) else []


def _run(
    model: nn.Module, example: Any, layers: dict[str, nn.Module], note: Callable[[str, torch.Tensor], None]
) -> Any:
    hooks = [
        module.register_forward_hook(lambda _, given, __, name=name: note(name, given[0]))
        for name, module in layers.items()
    ]
    with torch.no_grad():
        output = model(**example) if isinstance(example, dict) else model(example)
    for hook in hooks:
        hook.remove()
    return output
