"""torch.jit.script of mutants: as their base, or refused by name before anything is compiled."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import genewright as gw
from genewright.operator import Operator

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
GATED = gw.InsertLayer(after="1", init="gate", activation="relu")
X = torch.randn(3, 4)


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)).eval()


@pytest.mark.parametrize("operator", [gw.InsertLayer(after="1"), gw.RemoveLayer("1"), gw.Widen("0", factor=2)])
def test_plain_layers_are_scripted(operator: Operator) -> None:
    mutant = gw.mutate(net(), operator, seed=1, example=X)
    torch.testing.assert_close(torch.jit.script(mutant)(X), mutant(X))


@pytest.mark.parametrize("operator", [gw.DuplicateBlock(block="0"), gw.AddSkip(), gw.AddBranch(), GATED])
def test_grafts_are_refused_by_name_and_can_be_traced_and_exported(operator: Operator) -> None:
    mutant = gw.mutate(net(), operator, seed=1, example=X)
    with pytest.raises(gw.UnsupportedError, match=r"torch\.jit\.script cannot read it\. Use torch\.jit\.trace"):
        torch.jit.script(mutant)
    torch.testing.assert_close(torch.jit.trace(mutant, X)(X), mutant(X))
    torch.testing.assert_close(torch.export.export(mutant, (X,)).module()(X), mutant(X))
