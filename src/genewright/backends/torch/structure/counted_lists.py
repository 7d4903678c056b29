"""Whether a model's code takes the entries of a list by number, beside running them one after another.

A detector that keeps what `layers[1]` and `layers[3]` return is told from a plain loop by a run: with an entry in front
that hands its input on, nothing may differ.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from genewright.backends.torch.layers import layer_called


class _HandsOn(nn.Module):
    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return args[0] if args else next(iter(kwargs.values()))


def is_counted(trial: nn.Module, name: str, same: Callable[[nn.Module], bool]) -> bool:
    """Return whether the outputs depend on which number the entries of a list have.

    Args:
        trial: A copy of the model, which is changed.
        name: The list.
        same: Whether a model returns what the original returns.

    Returns:
        False too where nothing can be said: its entries do not follow each other, return more than a tensor, or the
        model does not run so.
    """
    entries = layer_called(trial, name)
    if not isinstance(entries, nn.ModuleList) or len(entries) < 2:
        return False
    passed: list[Any] = []
    entries[0].register_forward_hook(lambda _layer, _args, output: passed.append(output))
    entries[1].register_forward_pre_hook(lambda _layer, args: passed.append(args[0] if args else None))
    entries.insert(0, _HandsOn())
    try:
        kept = same(trial)
    except Exception:  # the entries are no chain that takes one more
        return False
    return len(passed) == 2 and isinstance(passed[0], torch.Tensor) and passed[1] is passed[0] and not kept
