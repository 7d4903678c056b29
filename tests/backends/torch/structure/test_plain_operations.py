"""Attention as plain operations, on this thread alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from genewright.backends.torch.structure.plain_operations import plain_operations
from genewright.backends.torch.structure.trace_devices import TRACE_DEVICES, TraceDevice

Q = torch.linspace(-1, 1, 2 * 4 * 5 * 8).reshape(2, 4, 5, 8)
CALLS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "plain": lambda q: F.scaled_dot_product_attention(q, q, q),
    "causal": lambda q: F.scaled_dot_product_attention(q, q, q, is_causal=True),
    "a mask": lambda q: F.scaled_dot_product_attention(q, q, q, attn_mask=q.new_zeros(5, 5).tril()),
    "a scale": lambda q: F.scaled_dot_product_attention(q, q, q, scale=0.5),
    "groups of heads": lambda q: F.scaled_dot_product_attention(q, q[:, :2], q[:, :2], enable_gqa=True),
}


class Seen(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.namespace != "prim":
            self.names.append(func._schema.name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("what", CALLS)
def test_attention_is_products_and_a_softmax_with_the_same_result(what: str) -> None:
    with torch.no_grad():
        expected = CALLS[what](Q)
        with Seen() as fused:
            CALLS[what](Q)
        assert any("_scaled_dot_product" in name for name in fused.names)
        with Seen() as seen, plain_operations():
            found = CALLS[what](Q)
    assert not any("scaled_dot_product" in name or name == "aten::matmul" for name in seen.names)
    assert seen.names.count("aten::bmm") == 2
    assert torch.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("trace_device", TRACE_DEVICES)
def test_every_stage_sees_the_same_operations(trace_device: type[TraceDevice]) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True).eval()
    names: list[list[str]] = []
    for kind in (trace_device, TRACE_DEVICES[0]):
        made, seen = kind(), Seen()
        made.run(made.copy_of(layer, {}), made.example(torch.zeros(2, 5, 8)), seen)
        names.append(seen.names)
    assert names[0] == names[1]
    assert not any("native_multi_head" in name or "encoder_layer_fwd" in name for name in names[0])


def test_other_threads_keep_their_kernels() -> None:
    seen: list[list[str]] = []

    def elsewhere() -> None:
        with torch.no_grad(), Seen() as names:
            F.scaled_dot_product_attention(Q, Q, Q)
        seen.append(names.names)

    with plain_operations():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert seen == [["aten::_scaled_dot_product_flash_attention_for_cpu"]]
