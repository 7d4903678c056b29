"""A shadow of a module: the same structure around the same tensors, to be run and changed without touching the user's.

Whatever a forward pass leaves on its module (a cache, a counter) stays on the shadow.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from genewright.errors import UnsupportedError


def shadow_of(model: nn.Module, *, instead: Mapping[int, Any] | None = None, share: bool = True) -> nn.Module:
    """Return a copy of `model` in evaluation mode that holds the same tensors.

    Args:
        model: Any module.
        instead: Tensors to hold instead of others, by the `id` of those.
        share: Hold the same tensors; False copies all that `instead` does not name.

    Raises:
        UnsupportedError: The module holds something that cannot be copied.
    """
    memo: dict[int, Any] = {}
    for module in model.modules():
        for holder in (module._parameters, module._buffers, vars(module)):
            for value in holder.values():
                if isinstance(value, torch.Tensor):
                    if share:
                        memo[id(value)] = value
                    elif not value.is_leaf:
                        memo[id(value)] = value.detach().clone()
    memo.update(instead or {})
    # deepcopy keeps what memo maps to alive by memo[id(memo)]; it must not find a stale entry there
    try:
        shadow = copy.deepcopy(model, memo)
    except Exception as error:
        raise UnsupportedError(f"This {type(model).__name__} cannot be copied to be looked at: {error}.") from error
    return shadow.eval()


@contextmanager
def as_plain_operations() -> Iterator[None]:
    """Let composite layers run as the plain operations that the rules know; draws leave the generators as they were."""
    fast = torch.backends.mha.get_fastpath_enabled()
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=[]))
        stack.enter_context(torch.no_grad())
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)


def call_with(model: nn.Module, example: Any) -> Any:
    """Call `model` with a tensor, a tuple of positional or a dict of keyword arguments."""
    if isinstance(example, Mapping):
        return model(**example)
    if isinstance(example, tuple | list):
        return model(*example)
    return model(example)
