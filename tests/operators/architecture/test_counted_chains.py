"""Chains whose entries the model's code takes by number: no entry moves."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import genewright as gw

X = torch.randn(2, 4, generator=torch.Generator().manual_seed(1))


class Tapped(nn.Module):
    """A detector in the small: maps are taken behind numbered layers."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.features = nn.Sequential(*(layer for _ in range(3) for layer in (nn.Linear(4, 4), nn.Tanh())))
        self.how = how

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        if self.how == "slices":
            first = self.features[:2](x)
            return first, self.features[2:6](first)
        maps: list[torch.Tensor] = []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in (1, 5):
                maps.append(x)
        return tuple(maps)


@pytest.mark.parametrize("how", ["slices", "numbers"])
def test_a_layer_that_is_taken_out_becomes_the_identity(how: str) -> None:
    model = Tapped(how).eval()
    mutant = gw.mutate(model, gw.RemoveLayer("features.2"), seed=1, example=X)
    assert len(mutant.features) == 6
    first = model.features[:2](X)
    expected = first, model.features[3:6](first)
    assert all(torch.allclose(got, wanted) for got, wanted in zip(mutant(X), expected, strict=True))
    assert gw.fingerprint(gw.replay(gw.recipe(mutant), model)) == gw.fingerprint(mutant)


@pytest.mark.parametrize("how", ["slices", "numbers"])
@pytest.mark.parametrize(
    "operator", [gw.InsertLayer("features.2"), gw.DuplicateBlock("features.2", by="gate"), gw.InsertLayer()]
)
def test_a_layer_that_is_put_in_is_grafted(how: str, operator: gw.Operator) -> None:
    model = Tapped(how).eval()
    mutant = gw.mutate(model, operator, seed=1, example=X)
    assert len(mutant.features) == 6
    assert len(list(mutant.parameters())) > len(list(model.parameters()))
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(mutant(X), model(X), strict=True))
    assert gw.fingerprint(gw.replay(gw.recipe(mutant), model)) == gw.fingerprint(mutant)


class Listed(nn.Module):
    """The same, in a list that code goes through; where it takes nothing by number, entries may move."""

    def __init__(self, *, taps: bool) -> None:
        super().__init__()
        self.layers, self.taps = nn.ModuleList(nn.Linear(4, 4) for _ in range(4)), taps

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        maps: list[torch.Tensor] = []
        for number, layer in enumerate(self.layers):
            x = layer(x).tanh() if not self.taps else layer(x)
            if number in (1, 2) and self.taps:
                maps.append(x)
        return (*maps, x)


def test_no_entry_of_a_list_moves_where_code_takes_them_by_number() -> None:
    model = Listed(taps=True).eval()
    removed = gw.mutate(model, gw.RemoveLayer("layers.1"), seed=1, example=X)
    assert len(removed.layers) == 4
    first = model.layers[0](X)
    expected = first, model.layers[2](first), model.layers[3](model.layers[2](first))
    assert all(torch.allclose(got, wanted) for got, wanted in zip(removed(X), expected, strict=True))
    copied = gw.mutate(model, gw.DuplicateBlock("layers.1"), seed=1, example=X)
    assert len(copied.layers) == 4
    assert all(torch.allclose(got, wanted) for got, wanted in zip(copied(X), model(X), strict=True))
    assert len(gw.mutate(Listed(taps=False), gw.RemoveLayer("layers.1"), seed=1, example=X).layers) == 3
    assert gw.fingerprint(gw.replay(gw.recipe(removed), model)) == gw.fingerprint(removed)


def test_a_chain_that_runs_by_itself_is_renumbered_as_before() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Identity(), nn.Linear(4, 2)).eval()
    mutant = gw.mutate(model, gw.RemoveLayer("1"), seed=1, example=X)
    assert [name for name, _ in mutant.named_children()] == ["0", "1"]
