"""Numbers that other methods read follow a width, or the plan names them."""

from __future__ import annotations

from types import SimpleNamespace

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
