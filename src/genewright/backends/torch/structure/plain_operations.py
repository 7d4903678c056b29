"""Composite layers as the plain operations that the rules know, on this thread alone.

torch has switches for this, `torch.backends.mha.set_fastpath_enabled` and `torch.nn.attention.sdpa_kernel`, but those
hold for the whole process. A mode holds for the thread that enters it.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

_FUSED = (
    "aten::_scaled_dot_product_flash_attention",
    "aten::_scaled_dot_product_flash_attention_for_cpu",
    "aten::_scaled_dot_product_efficient_attention",
    "aten::_scaled_dot_product_cudnn_attention",
    "aten::_scaled_dot_product_fused_attention_overrideable",
)
_TOLD = ("query", "key", "value", "dropout_p", "is_causal", "scale")  # what every one of them is told


@contextmanager
def plain_operations() -> Generator[None]:
    """Let layers run as plain operations; to be entered last, so that other modes see these."""
    with torch.no_grad(), _NoFastPath(), _Unfused():
        yield


class _NoFastPath(TorchFunctionMode):
    """Keeps torch's attention and encoder layers from their one fused kernel: they never take it under a mode."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


class _Unfused(TorchDispatchMode):
    """Computes attention scores by products and a softmax, where torch has chosen a fused kernel."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func._schema.name not in _FUSED:
            return func(*args, **kwargs)
        arguments = func._schema.arguments
        given = {argument.name: argument.default_value for argument in arguments}
        given |= {argument.name: value for argument, value in zip(arguments, args, strict=False)} | kwargs
        plain: Any = torch.ops.aten._scaled_dot_product_attention_math.default
        with _from_the_top():
            output, weights = plain(
                **{name: given[name] for name in _TOLD},
                attn_mask=given.get("attn_mask", given.get("attn_bias")),
                enable_gqa=given["query"].shape[-3] != given["key"].shape[-3],
            )
        # What else a fused kernel returns is for its own backward pass; nobody asks for it here.
        others = [weights if str(value.type) == "Tensor" else 0 for value in func._schema.returns[1:]]
        return (cast("torch.Tensor", output), *others)


def _from_the_top() -> Any:
    """Return what lets an operation be taken apart as in the model's own code: a mode is called below that."""
    keys: Any = torch._C  # pyright: ignore[reportPrivateUsage]
    excluded = keys._dispatch_tls_local_exclude_set().remove(keys.DispatchKey.AutogradFunctionality)
    return keys._ForceDispatchKeyGuard(keys._dispatch_tls_local_include_set(), excluded)
