"""Low rank in a population: no weight is built, and the outputs are those of the exact mutants."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw
from genewright.populations.torch import low_rank
from tests import pretrained
from tests.populations.test_population import assert_mutants


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)
        self.crossing = nn.MultiheadAttention(16, 2, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made = self.layer(x)
        return self.head(self.crossing(made, x, x)[0])


class Convolving(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(4, 8, 3, padding=1, stride=2)
        self.grouped = nn.Conv2d(8, 8, 3, groups=4, padding="same", padding_mode="circular")
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.line = nn.Conv1d(4, 3, 3, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.line(self.up(self.grouped(self.first(x).relu()).relu()).flatten(2))


class Odd(nn.Module):
    """Multiplies in ways that no layer does, and ties what it embeds by."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(4, 4))
        self.embed, self.head = nn.Embedding(7, 4, padding_idx=0), nn.Linear(4, 7, bias=False)
        self.head.weight = self.embed.weight
        self.bag = nn.EmbeddingBag(7, 4)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embed(tokens) @ self.matrix
        x = x @ self.matrix.T + torch.einsum("nbi,ij->nbj", x, self.matrix) + self.matrix.shape[0]
        return self.head(x + self.bag(tokens)[:, None])


CASES: dict[str, Any] = {
    "attention": lambda: (Attending(), torch.randn(2, 5, 16)),
    "convolutions": lambda: (Convolving(), torch.randn(2, 4, 6, 6)),
    "odd": lambda: (Odd(), torch.tensor([[1, 0, 3], [2, 2, 6]])),
    "bilinear": lambda: (nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2)), torch.randn(2, 3, 4)),
}


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("case", list(CASES))
def test_outputs_are_those_of_the_mutants(case: str, rank: int) -> None:
    torch.manual_seed(0)
    model, batch = CASES[case]()
    operator = gw.LowRankNoise(rank=rank, std=0.05, where=("*", "!bag*"))
    population = assert_mutants(model.eval(), operator, batch)
    assert population._rows.factors  # nothing fell back
    assert not any(rows.dim() > 2 for rows in population._rows.stacked.values())


@pytest.mark.parametrize("kind", ["gpt2", "bert"])
def test_transformers(kind: str) -> None:
    model, example = pretrained.make(kind)
    assert assert_mutants(model, gw.LowRankNoise(rank=1, std=0.05), example)._rows.factors


def test_layers_never_build_a_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    def built(self: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(low_rank.Factors, "built", built)
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Embedding(9, 16), nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), nn.Linear(16, 3)
    )
    assert_mutants(model.eval(), gw.LowRankNoise(std=0.05), torch.tensor([[1, 2, 3]]))


def test_a_recurrent_layer_is_built_for_its_call_and_the_rest_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.read = nn.LSTM(4, 6, batch_first=True)
            self.head = nn.Linear(6, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.read(x)[0])

    shapes: set[tuple[int, ...]] = set()
    built = low_rank.Factors.built
    monkeypatch.setattr(low_rank.Factors, "built", lambda self: (shapes.add(tuple(self.weight.shape)), built(self))[1])
    torch.manual_seed(0)
    population = assert_mutants(Reader(), gw.LowRankNoise(rank=2, std=0.05), torch.randn(2, 3, 4))
    assert set(population._rows.factors) == {"read.weight_ih_l0", "read.weight_hh_l0", "head.weight"}
    assert shapes == {(24, 4), (24, 6)}


def test_what_vmap_cannot_do_at_all_runs_with_whole_weights() -> None:
    class Deciding(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            made = super().forward(x)
            return made if float(made.sum()) > 0 else -made

    torch.manual_seed(0)
    population = assert_mutants(Deciding(4, 3), gw.LowRankNoise(rank=2, std=0.05), torch.randn(2, 3, 4))
    assert not population._rows.factors


def test_each_with_samples_of_its_own_and_other_numbers() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)).double()
    operator = gw.LowRankNoise(rank=2, std=0.3)
    x = torch.randn(5, 3, 4, dtype=torch.float64)
    outputs = gw.population(model, operator, range(5)).each(x)
    for seed in range(5):
        assert torch.allclose(outputs[seed], gw.mutate(model, operator, seed=seed)(x[seed]), atol=1e-12)


def test_nothing_is_left_in_the_process() -> None:
    model = nn.Linear(4, 2)
    x, linear = torch.randn(3, 4), nn.functional.linear
    before = model(x)
    gw.population(model, gw.LowRankNoise(std=0.5), range(3))(x)
    assert torch.equal(model(x), before)
    assert nn.functional.linear is linear
