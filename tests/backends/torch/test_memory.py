"""A tensor's elements where they lie: looked up once, and never those of memory that the tensor has no more."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from genewright.backends.torch.network import TorchNetwork
from genewright.backends.torch.store import TorchStore

OTHERS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "other memory": lambda weights: weights * 2 + 1,
    "the same memory, transposed": lambda weights: weights.t(),
    "the same memory, two rows of it": lambda weights: weights[:2],
    "a view of other memory, in column-major order": lambda weights: (weights * 3).t().contiguous().t(),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_a_view_reads_what_a_tensor_holds_now(other: Callable[[torch.Tensor], torch.Tensor]) -> None:
    net = nn.Linear(3, 3)
    view = TorchNetwork(net)
    first = net.weight.detach().numpy().tobytes()
    assert bytes(view.raw("weight")) == first
    net.weight.data = other(net.weight.data)
    wanted = net.weight.detach().contiguous().numpy().tobytes()
    assert wanted != first
    assert bytes(view.raw("weight")) == wanted


def test_a_store_writes_into_what_a_tensor_holds_now_and_an_undo_into_what_it_held() -> None:
    net = nn.Linear(3, 3)
    store = TorchStore(net, network=TorchNetwork(net))
    old = net.weight.data
    before, put_back = old.clone(), store.memory("weight").snapshot()
    with store.memory("weight").open() as values:
        values[:] = 7
    net.weight.data = torch.zeros(3, 3)
    with store.memory("weight").open() as values:
        assert values.tolist() == [0] * 9
        values[:] = np.arange(9)
    put_back()
    assert torch.equal(net.weight.data, torch.arange(9.0).reshape(3, 3))
    assert torch.equal(old, before)
