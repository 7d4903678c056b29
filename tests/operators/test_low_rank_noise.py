"""LowRankNoise: w' = w + std / sqrt(rank) A B^T, on every framework's array the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import genewright as gw
from genewright import noise as gw_noise
from genewright.edits.functions.add_low_rank import AddLowRank
from genewright.edits.map import Given
from genewright.index import Index


@pytest.mark.parametrize("rank", [1, 3])
def test_the_formula(rank: int) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 6, 2)
    mutant = gw.mutate(conv, gw.LowRankNoise(rank=rank, std=0.2), seed=5)
    numbers = np.zeros(rank * (6 + 12), np.float32)
    stream = gw_noise.derive(5, name="weight", path="/0", salt="low_rank_noise")
    gw_noise.apply(numbers, gw_noise.Change(combine="add"), stream, dtype="float32", backend="numpy")
    left, right = numbers[: 6 * rank].reshape(6, rank), numbers[6 * rank :].reshape(12, rank)
    expected = conv.weight.detach().numpy() + (0.2 / rank**0.5) * (left @ right.T).reshape(6, 3, 2, 2)
    assert np.allclose(mutant.weight.detach().numpy(), expected, atol=1e-6)
    change = (mutant.weight - conv.weight).detach().reshape(6, 12).double()
    assert int(torch.linalg.matrix_rank(change, rtol=1e-4)) == rank


def test_the_standard_deviation_and_full_noise_for_vectors() -> None:
    net = nn.Linear(400, 300)
    mutant = gw.mutate(net, gw.LowRankNoise(rank=2, std=0.5), seed=1)
    assert float((mutant.weight - net.weight).detach().std()) == pytest.approx(0.5, rel=0.1)
    assert float((mutant.bias - net.bias).detach().std()) == pytest.approx(0.5, rel=0.15)
    head = nn.Linear(7, 1)
    assert bool(
        (gw.mutate(head, gw.LowRankNoise(rank=5), seed=1).weight != head.weight).all()
    )  # a vector: any rank will do


def test_numpy_and_torch_arrays_have_the_same_bits() -> None:
    function, stream = AddLowRank(scale=0.3, rank=3), gw_noise.derive(1, name="w", path="/0")
    values = np.random.default_rng(0).normal(size=(2, 5)).astype(np.float32)
    given = Given("float32", (None, Index.of([0, 2, 3, 4, 6])), stream, "w", (2, 9))
    assert function(values.copy(), given).tobytes() == function(torch.tensor(values), given).numpy().tobytes()


def test_a_part_is_cut_out_of_the_whole_change() -> None:
    torch.manual_seed(0)
    net = nn.Linear(6, 5)
    whole = gw.mutate(net, gw.LowRankNoise(rank=2, where="weight"), seed=3)
    part = gw.mutate(net, gw.LowRankNoise(rank=2, where=gw.where("weight", units=[1, 4])), seed=3)
    assert torch.equal(part.weight[[1, 4]], whole.weight[[1, 4]])
    assert torch.equal(part.weight[[0, 2, 3]], net.weight[[0, 2, 3]])


def test_a_rank_above_a_matrix_is_refused_by_name() -> None:
    with pytest.raises(gw.SettingError, match=r"rank=4 is above the size of 'weight'.*5 rows and 3 columns.*rank=3"):
        gw.mutate(nn.Linear(3, 5), gw.LowRankNoise(rank=4), seed=1)
    for wrong in (0, 1.5, True):
        with pytest.raises(gw.SettingError, match="rank"):
            gw.LowRankNoise(rank=wrong)  # type: ignore[arg-type]


def test_a_mutant_replays() -> None:
    net = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 3)).to(torch.bfloat16)
    mutant = gw.mutate(net, gw.LowRankNoise(rank=2, std=0.3), seed=8)
    recipe = gw.Recipe.from_json(gw.recipe(mutant).to_json())
    assert gw.fingerprint(gw.replay(recipe, net)) == gw.fingerprint(mutant)
