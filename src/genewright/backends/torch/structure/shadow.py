"""A shadow of a module: the same structure around other tensors, to be run and changed without touching the user's.

Whatever a forward pass leaves on its module (a cache, a counter) stays on the shadow.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from genewright.errors import UnsupportedError

_LOG = logging.getLogger("torch._subclasses.fake_tensor")


def shadow_of(model: nn.Module, instead: Callable[[torch.Tensor], torch.Tensor | None]) -> nn.Module:
    """Return a copy of `model` in evaluation mode around other tensors.

    Args:
        model: Any module.
        instead: What stands in for a tensor that a module of it holds; None copies the tensor.

    Raises:
        UnsupportedError: The module holds something that cannot be copied.
    """
    memo: dict[int, Any] = {}
    for module in model.modules():
        held = (module._parameters, module._buffers, vars(module))  # pyright: ignore[reportPrivateUsage]
        for holder in held:
            for value in holder.values():
                if isinstance(value, torch.Tensor) and id(value) not in memo:
                    other = instead(value)
                    if other is not None:
                        memo[id(value)] = other
    try:
        shadow = copy.deepcopy(model, memo)
    except Exception as error:
        raise UnsupportedError(f"This {type(model).__name__} cannot be copied to be looked at: {error}.") from error
    return shadow.eval()


@contextmanager
def as_plain_operations() -> Generator[None]:
    """Let composite layers run as the plain operations that the rules know; draws leave the generators as they were."""
    fast = torch.backends.mha.get_fastpath_enabled()
    heard = _LOG.level
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=[]))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        stack.enter_context(torch.no_grad())
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))  # pyright: ignore[reportUnknownArgumentType]
        torch.backends.mha.set_fastpath_enabled(False)
        _LOG.setLevel(logging.CRITICAL)  # a trial that fails is an answer, not a fault to print
        try:
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)
            _LOG.setLevel(heard)


def call_with(model: nn.Module, example: Any) -> Any:
    """Call `model` with a tensor, a tuple of positional or a dict of keyword arguments."""
    if isinstance(example, Mapping):
        return model(**example)
    if isinstance(example, tuple | list):
        return model(*example)
    return model(example)
