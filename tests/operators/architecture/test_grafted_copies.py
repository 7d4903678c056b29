"""Copies that are grafted on their host receive what it receives beside its first input."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import genewright as gw
from genewright.operator import Operator


class Masked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return self.fc(x) if mask is None else self.fc(x) * mask


class Net(nn.Module):
    """Hosts that stand in no list."""

    def __init__(self) -> None:
        super().__init__()
        self.own = Masked()
        self.torchs = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)

    def forward(self, x: torch.Tensor, mask: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        return self.torchs(self.own(x, mask), src_key_padding_mask=hidden)


X, MASK = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(1)), torch.tensor([1.0, 0.0, 2.0, 1.0])
HIDDEN = torch.tensor([[False, False, True], [False, True, True]])


def _net() -> Net:
    torch.manual_seed(0)
    return Net().eval()


@pytest.mark.parametrize("operator", [gw.CopyLayer("own"), gw.InsertLayer("own", {"copy": "own"}, init="noise")])
def test_a_copy_of_a_layer_of_ones_own_gets_the_mask(operator: Operator) -> None:
    net = _net()
    mutant = gw.mutate(net, operator, seed=1, example=(X, MASK, HIDDEN))
    copied = mutant.own.graft[0]
    expected = net.torchs(copied(net.own(X, MASK), MASK), src_key_padding_mask=HIDDEN)
    torch.testing.assert_close(mutant(X, MASK, HIDDEN), expected)


def test_a_gated_copy_of_a_layer_of_torch_gets_the_mask() -> None:
    net = _net()
    mutant = gw.mutate(net, gw.DuplicateBlock("torchs", by="graft"), seed=1, example=(X, MASK, HIDDEN))
    with torch.no_grad():
        mutant.torchs.graft[0].gate.fill_(0.7)
        once = net(X, MASK, HIDDEN)
        expected = once + 0.7 * net.torchs(once, src_key_padding_mask=HIDDEN)
        torch.testing.assert_close(mutant(X, MASK, HIDDEN), expected)


def test_a_copy_in_a_chain_that_is_cut_by_number_moves_no_entry() -> None:
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(*(nn.Linear(4, 4) for _ in range(3)))

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            first = self.features[:2](x)
            return first, self.features[2:](first)

    net = Cut()
    mutant = gw.mutate(net, gw.CopyLayer("features.0"), seed=1, example=X)
    assert len(mutant.features) == 3
    first = net.features[:2](net.features[0](X))
    torch.testing.assert_close(mutant(X), (first, net.features[2](first)))
