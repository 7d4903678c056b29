"""Numbers that other methods read follow a width, or the plan names them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

import genewright as gw

X = torch.randn(2, 4, generator=torch.Generator().manual_seed(1))


class Backbone(nn.Module):
    """A classifier with a table of channels and a head that can be made anew."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.body, self.head = nn.Linear(4, 7), nn.Linear(7, 9), nn.Linear(9, 3)
        self.num_features = self.head_hidden_size = 9
        self.config = SimpleNamespace(stem_dim=7, hidden_size=7, dropout=0.1)
        self.feature_info = [{"num_chs": 7, "module": "stem"}, {"num_chs": 9, "module": "body"}]
        self.steps = 9

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.tanh(self.body(torch.tanh(self.stem(x)))))

    def reset(self, classes: int) -> None:
        self.head = nn.Linear(self.num_features, classes)


def test_the_features_of_a_classifier_follow_so_that_a_new_head_fits() -> None:
    mutant = gw.mutate(Backbone().eval(), gw.Widen("body", num_units=2), seed=1, example=X)
    assert (mutant.num_features, mutant.head_hidden_size, mutant.steps) == (11, 11, 9)
    assert [entry["num_chs"] for entry in mutant.feature_info] == [7, 11]
    mutant.reset(5)
    assert mutant(X).shape == (2, 5)


def test_a_config_and_its_table_follow_where_their_words_are_plain() -> None:
    model = Backbone().eval()
    mutant = gw.mutate(model, gw.Narrow("stem", units=(0, 3)), seed=1, example=X)
    assert (mutant.config.hidden_size, mutant.config.stem_dim) == (5, 7)
    assert [entry["num_chs"] for entry in mutant.feature_info] == [5, 9]
    assert model.config.hidden_size == 7
    assert gw.replay(gw.recipe(mutant), model).config.hidden_size == 5


def test_the_plan_names_what_stays() -> None:
    plan = gw.plan(Backbone().eval(), gw.Widen("body", num_units=2), seed=1, example=X)
    assert "steps = 9" in str(plan)
    assert "num_features = 9" not in str(plan)
    assert "config.stem_dim = 7" in str(gw.plan(Backbone().eval(), gw.Widen("stem"), seed=1, example=X))


class Language(nn.Module):
    """A recurrent language model that makes its own first state."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.nhid, self.ninp = 6, inputs
        self.words, self.cells = nn.Embedding(10, inputs), nn.GRU(inputs, 6, batch_first=True)
        self.decoder = nn.Linear(6, 10)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.cells(self.words(tokens))[0])

    def init_hidden(self, batch: int) -> torch.Tensor:
        return torch.zeros(1, batch, self.nhid)


def test_the_size_of_a_first_state_follows_unless_two_widths_have_it() -> None:
    tokens = torch.tensor([[1, 2, 3]])
    mutant = gw.mutate(Language(5).eval(), gw.Widen("cells", num_units=2), seed=1, example=tokens)
    assert (mutant.nhid, mutant.init_hidden(2).shape) == (8, (1, 2, 8))
    plan = gw.plan(Language(6).eval(), gw.Widen("cells", num_units=2), seed=1, example=tokens)
    assert "nhid = 6" in str(plan)
    assert "ninp = 6" in str(plan)


class Attention(nn.Module):
    """Attention that asks the shapes, as T5's does, and keeps its numbers for whoever reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.n_heads, self.key_value_proj_dim, self.d_model = 3, 5, 8
        self.inner_dim = self.n_heads * self.key_value_proj_dim
        self.q, self.k, self.v = (nn.Linear(self.d_model, self.inner_dim, bias=False) for _ in range(3))
        self.o = nn.Linear(self.inner_dim, self.d_model, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        split = (*x.shape[:2], -1, self.key_value_proj_dim)
        q, k, v = (layer(x).view(split).transpose(1, 2) for layer in (self.q, self.k, self.v))
        mixed = torch.softmax(q @ k.transpose(2, 3), -1) @ v
        return self.o(mixed.transpose(1, 2).flatten(2))


@pytest.mark.parametrize(("operator", "heads"), [(gw.RemoveHeads("0.q"), 2), (gw.AddHeads("0.q", num_heads=2), 5)])
def test_numbers_of_heads_follow_where_the_run_does_not_ask_them(operator: gw.Operator, heads: int) -> None:
    net = nn.Sequential(Attention(), nn.Linear(8, 2))
    x = torch.randn(5, 4, 8)
    attention = gw.mutate(net, operator, seed=1, example=x)[0]
    assert (attention.n_heads, attention.inner_dim) == (heads, 5 * heads)
    assert attention.q.out_features == 5 * heads
    assert attention.d_model == 8


def test_other_widths_leave_the_number_of_heads() -> None:
    net = nn.Sequential(nn.Linear(8, 3), nn.ReLU(), nn.Linear(3, 8), Attention())
    wider = gw.mutate(net, gw.Widen("0", num_units=1), seed=1, example=torch.randn(5, 4, 8))
    assert (wider[0].out_features, wider[3].n_heads, wider[3].inner_dim) == (4, 3, 15)
