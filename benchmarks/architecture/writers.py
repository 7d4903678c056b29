"""Which layer writes a model's scores, told from a run alone, with nothing of genewright."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d)


def classifier_of(model: nn.Module, example: Any) -> str | None:
    """Return the name of the last layer to run that has as many outputs as the model's scores.

    The scores are the output, where it is one tensor of two axes, else what is called `logits`. A layer whose weight is
    the table of words too is none: the words are another end.
    """
    ran: list[str] = []
    layers = {name: module for name, module in model.named_modules() if isinstance(module, _LAYERS)}
    hooks = [module.register_forward_hook(lambda *_, name=name: ran.append(name)) for name, module in layers.items()]
    with torch.no_grad():
        output = model(**example) if isinstance(example, dict) else model(example)
    for hook in hooks:
        hook.remove()
    scores = output if isinstance(output, torch.Tensor) else getattr(output, "logits", None)
    if not isinstance(scores, torch.Tensor) or scores.dim() < 2:
        return None
    tables = {module.weight.data_ptr() for module in model.modules() if isinstance(module, nn.Embedding)}
    size = scores.shape[1] if scores.dim() == 4 else scores.shape[-1]
    written = [name for name in ran if layers[name].weight.shape[0] == size]
    if not written or layers[written[-1]].weight.data_ptr() in tables:
        return None
    return written[-1]
