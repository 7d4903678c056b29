"""A resident base: one network is one mutant after another, each with the bits of gw.mutate, whatever came before."""

from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw

OPERATORS: dict[str, Any] = {
    "dense": gw.GaussianNoise(std=0.1),
    "mirrored": gw.EvolutionNoise(std=0.1, mirrored=True),
    "sparse": gw.GaussianNoise(std=0.1, rate=0.3),
    "low rank": gw.LowRankNoise(std=0.1),
    "relative": gw.GaussianNoise(std=0.1, relative_to="tensor"),
    "of some": gw.Zero(rate=0.5, where="0.weight"),
    "several": [gw.GaussianNoise(std=0.1), gw.SignFlip(rate=0.5)],
    "statistics": gw.GaussianNoise(std=0.1, where="1.running_mean"),
}


def network(dtype: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)).to(dtype).train()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_mutant_is_that_of_the_base_whatever_came_before(dtype: torch.dtype) -> None:
    net = network(dtype)
    before, x = gw.fingerprint(net), torch.randn(6, 5, dtype=dtype)
    expected = {
        (name, seed): gw.fingerprint(gw.mutate(net, operator, seed=seed))
        for name, operator in OPERATORS.items()
        for seed in (1, 2)
    }
    assert len(set(expected.values())) == len(expected)
    with gw.resident(net) as base:
        for seed in (1, 2, 1):
            for name, operator in OPERATORS.items():
                mutant = base.mutant(operator, seed=seed)
                assert mutant is net
                assert gw.fingerprint(mutant) == expected[name, seed], name
                mutant(x)  # moves the running statistics
                assert gw.fingerprint(mutant) != expected[name, seed]
    assert gw.fingerprint(net) == before


def test_after_an_error_of_the_block_every_byte_is_back() -> None:
    net = network()
    before = gw.fingerprint(net)
    with pytest.raises(ZeroDivisionError), gw.resident(net) as base:
        len(base.mutant(OPERATORS["dense"], seed=1)) / 0
    assert gw.fingerprint(net) == before


def test_what_is_refused_leaves_the_base() -> None:
    net = network()
    before = gw.fingerprint(net)
    with gw.resident(net) as base:
        base.mutant(OPERATORS["dense"], seed=1)
        with pytest.raises(gw.errors.UnsupportedError, match=r"changes layers or shapes.*gw\.mutated"):
            base.mutant(gw.ReplaceActivation(), seed=1)
        assert gw.fingerprint(net) == before
        base.mutant(OPERATORS["dense"], seed=1)
        with pytest.raises(gw.errors.SettingError, match="rank=3 is above"):
            base.mutant(gw.LowRankNoise(rank=3), seed=1)
        assert gw.fingerprint(net) == before
        with pytest.raises(gw.errors.SeedError, match=r"base\.mutant\(.*seed=246\)"):
            base.mutant(OPERATORS["dense"])  # pyright: ignore[reportCallIssue]
    with pytest.raises(gw.errors.SettingError, match=r"with gw\.resident\(model\) as base"):
        base.mutant(OPERATORS["dense"], seed=1)
    assert gw.fingerprint(net) == before
