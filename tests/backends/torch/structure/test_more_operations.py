"""Operations that widths go through: bags, packed sequences, masks, distances, norms that are written by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw

X = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
MASK = torch.tensor([True, False, True])


class Bag(nn.Module):
    def __init__(self, mode: str) -> None:
        super().__init__()
        self.items, self.head = nn.EmbeddingBag(9, 6, mode=mode), nn.Linear(6, 2)

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        return self.head(self.items(numbers))


class Packed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.items, self.cells = nn.Embedding(9, 6), nn.GRU(6, 5, batch_first=True)

    def forward(self, numbers: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        rows = self.items(numbers)
        packed = nn.utils.rnn.pack_padded_sequence(rows, lengths, batch_first=True, enforce_sorted=False)
        return nn.utils.rnn.pad_packed_sequence(self.cells(packed)[0], batch_first=True)[0]


class Between(nn.Module):
    """Does something to a width between the layer that writes it and the one that reads it."""

    def __init__(self, act: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.items, self.head, self.act = nn.Linear(4, 6), nn.Linear(6, 2), act

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.act(self.items(x)))


def put(y: torch.Tensor) -> torch.Tensor:
    y = y.clone()
    y[MASK] = 0.5
    return y


PAIRS = torch.tensor([[1, 2], [3, 4], [5, 5]])
KEPT: dict[str, tuple[nn.Module, Any]] = {
    "sum of a bag": (Bag("sum"), PAIRS),
    "mean of a bag": (Bag("mean"), PAIRS),
    "maximum of a bag": (Bag("max"), PAIRS),
    "packed sequence": (Packed(), (torch.tensor([[1, 2, 3], [4, 5, 0]]), torch.tensor([3, 2]))),
    "rows of a mask": (Between(lambda y: y[MASK]), X),
    "a mask of two axes": (Between(lambda y: y[None].expand(2, 3, -1)[torch.ones(2, 3, dtype=torch.bool)]), X),
    "rows of numbers": (Between(lambda y: y[torch.tensor([0, 2])]), X),
    "written through a mask": (Between(put), X),
    "kth value": (Between(lambda y: y.kthvalue(2, 0)[0]), X),
    "kth value kept": (Between(lambda y: y.kthvalue(2, 0, keepdim=True)[0]), X),
}


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
def test_widths_behind_them_grow_and_keep_the_outputs(name: str) -> None:
    model, example = KEPT[name]
    model.eval()
    mutant = gw.mutate(model, gw.Widen("items", num_units=2), seed=1, example=example)
    args = example if isinstance(example, tuple) else (example,)
    assert torch.allclose(mutant(*args), model(*args), atol=1e-6)
    assert not torch.equal(torch.tensor(mutant.items.weight.shape), torch.tensor(model.items.weight.shape))


def test_distances_and_renormed_rows_look_across_their_features() -> None:
    for act in (lambda y: y.renorm(2, 0, 1.0), lambda y: y * torch.cdist(y, y).mean()):
        model = Between(act).eval()
        with pytest.raises(gw.UnsupportedError, match=r"renorm normalises over it|_forward runs over it"):
            gw.mutate(model, gw.Widen("items"), seed=1, example=X)
        assert gw.mutate(model, gw.Narrow("items", num_units=1), seed=1, example=X).items.out_features == 5


def test_groups_that_end_inside_a_piece_pin_the_pieces_and_nothing_else() -> None:
    class Torn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.norm = nn.Conv2d(3, 6, 1), nn.Conv2d(3, 10, 1), nn.GroupNorm(4, 16)
            self.c, self.d = nn.Conv2d(16, 5, 1), nn.Conv2d(5, 2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.d(self.c(self.norm(torch.cat([self.a(x), self.b(x)], 1))).relu())

    model, x = Torn().eval(), torch.randn(2, 3, 4, 4)
    for layer in ("a", "b"):
        with pytest.raises(gw.UnsupportedError, match="4 groups of a norm"):
            gw.mutate(model, gw.Widen(layer), seed=1, example=x)
    mutant = gw.mutate(model, gw.Widen("c", num_units=2), seed=1, example=x)
    assert torch.allclose(mutant(x), model(x), atol=1e-6)
