"""A padding mask makes nn.TransformerEncoder run on nested tensors, which have no shape and few operations."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import genewright as gw
from genewright.operator import Operator

pytestmark = pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")


class Reader(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(20, 8, padding_idx=0)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder, self.head = nn.TransformerEncoder(layer, 2), nn.Linear(8, 3)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(self.embed(words), src_key_padding_mask=words == 0).mean(1))


def _words() -> torch.Tensor:
    words = torch.randint(1, 20, (4, 6), generator=torch.Generator().manual_seed(0))
    words[0, 4:] = 0
    words[1, 3:] = 0
    return words


@pytest.mark.parametrize(
    "operator",
    [
        gw.DuplicateBlock(block="encoder.layers.0"),
        gw.InsertLayer(after="encoder.layers.0"),
        gw.AddSkip(),
        gw.AddBranch(),
        gw.Widen("encoder.layers.0.linear1", factor=2),
        gw.Narrow("encoder.layers.0.linear1", num_units=9, repair="least_squares"),
    ],
    ids=lambda operator: operator.name,
)
def test_layers_change_and_the_mutant_runs_and_trains(operator: Operator) -> None:
    model, words = Reader().eval(), _words()
    mutant = gw.mutate(model, operator, seed=1, example=words)
    with torch.no_grad():
        nested = mutant(words)
        if "function" in operator.claims():
            torch.testing.assert_close(nested, model(words))
    mutant.train()(words).sum().backward()
    assert all(p.grad is not None for p in mutant.parameters())


def test_neurons_are_measured_on_such_a_batch() -> None:
    table = gw.neurons.measure(Reader().eval(), _words(), measures=["mean"])
    names = {layer.name for layer in table.layers}
    assert {"embed", "encoder.layers.0.linear1", "head"} <= names
