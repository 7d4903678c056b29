"""torch.jit.script of mutants: as their base; a graft on a layer of several inputs is refused by name."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

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


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.fc(x).tanh()


class Blocks(nn.Module):
    """Hosts that are no entries of a chain, so that everything is grafted."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.out = Block(), Block(), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.b(self.a(x)))


WIRED: list[tuple[type[nn.Module] | None, Operator | list[Operator]]] = [
    (None, gw.DuplicateBlock(block="0")),
    (None, gw.AddSkip("0", "3")),
    (None, gw.AddSkip("0", "4")),
    (None, gw.AddBranch("2")),
    (None, GATED),
    (None, gw.ReplaceActivation("1", to="GELU", blend=0.3)),
    (Blocks, gw.AddSkip("a", "b")),
    (Blocks, gw.DuplicateBlock("a", by="gate")),
    (Blocks, gw.InsertLayer("a")),
    (Blocks, [gw.AddSkip("a", "b"), gw.AddSkip("a.fc", "b.fc"), gw.AddBranch("b.fc"), gw.AddSkip("b")]),
]


@pytest.mark.parametrize(("base", "operator"), WIRED)
def test_grafts_are_scripted_traced_and_exported(base: type[nn.Module] | None, operator: Any) -> None:
    torch.manual_seed(0)
    mutant = gw.mutate(net() if base is None else base().eval(), operator, seed=1, example=X)
    with torch.no_grad():
        for name, parameter in mutant.named_parameters():
            if name.endswith("gate"):
                parameter.fill_(0.7)  # what passes a gate of zero would not show
    expected, doubled = mutant(X), mutant(2 * X)
    scripted = torch.jit.script(mutant)
    file = io.BytesIO()
    torch.jit.save(scripted, file)
    file.seek(0)
    others = [torch.jit.load(file), torch.jit.trace(mutant, X)]
    others += [torch.export.export(mutant, (X,)).module(), torch.jit.script(copy.deepcopy(mutant))]
    assert set(scripted.state_dict()) == set(mutant.state_dict())
    for model in (scripted, *others):
        torch.testing.assert_close(model(X), expected)
        torch.testing.assert_close(model(2 * X), doubled)
    assert torch.equal(pickle.loads(pickle.dumps(mutant))(X), expected)  # scripting has left nothing in it
    assert gw.recipe(gw.mutate(mutant, gw.AddBranch("b.fc" if base else "2"), seed=1, example=X)).steps


def test_a_skip_between_two_layers_is_frozen_from_a_trace() -> None:
    """Freezing does not look into hooks and drops what they pass on: a scripted skip raises, and is never wrong."""
    mutant = gw.mutate(net(), gw.AddSkip("0", "3"), seed=1, example=X).eval()
    with torch.no_grad():
        next(p for name, p in mutant.named_parameters() if name.endswith("gate")).fill_(0.7)
    torch.testing.assert_close(torch.jit.freeze(torch.jit.trace(mutant, X))(2 * X), mutant(2 * X))
    frozen = torch.jit.freeze(torch.jit.script(mutant))
    with pytest.raises(RuntimeError):
        frozen(X)
    within = gw.mutate(net(), gw.AddSkip("0"), seed=1, example=X).eval()
    torch.testing.assert_close(torch.jit.freeze(torch.jit.script(within))(X), within(X))


class Two(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        return x if y is None else x + y


@pytest.mark.parametrize("operator", [gw.AddSkip("0"), gw.DuplicateBlock("0", by="gate")])
def test_a_graft_on_a_layer_of_several_inputs_is_refused_by_name(operator: Operator) -> None:
    mutant = gw.mutate(nn.Sequential(Two(), nn.Linear(4, 2)), operator, seed=1, example=X)
    with pytest.raises(gw.UnsupportedError, match=r"several inputs: torch\.jit\.script cannot read it\. Use"):
        torch.jit.script(mutant)
    torch.testing.assert_close(torch.jit.trace(mutant, X)(X), mutant(X))
