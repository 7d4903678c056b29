"""SwapLayers: two layers of one signature change places."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import genewright as gw


def make() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
    )


def test_each_layer_stands_where_the_other_stood() -> None:
    net = make()
    with torch.no_grad():
        net[1].running_mean.normal_()
    mutant = gw.mutate(net, gw.SwapLayers("1", "4"), seed=1).eval()
    x = torch.randn(2, 4, 5, 5)
    net.eval()
    assert torch.equal(mutant(x), net[1](net[3](net[2](net[4](net[0](x))))))
    assert torch.equal(mutant[4].running_mean, net[1].running_mean)


def test_twice_is_nothing_and_it_is_taken_back() -> None:
    net = make()
    before = gw.fingerprint(net)
    once = gw.mutate(net, gw.SwapLayers(), seed=5)
    assert gw.fingerprint(once) != before
    assert gw.fingerprint(gw.mutate(once, gw.SwapLayers(), seed=5)) == before
    with gw.mutated(net, gw.SwapLayers("0"), seed=1):
        assert gw.fingerprint(net) != before
    assert gw.fingerprint(net) == before


def test_the_seed_chooses_among_layers_of_one_signature() -> None:
    net = make()
    pairs = set()
    for seed in range(20):
        mutant = gw.mutate(net, gw.SwapLayers(), seed=seed)
        pairs.add(tuple(at for at in (0, 1, 3, 4) if not torch.equal(mutant[at].weight, net[at].weight)))
    assert pairs <= {(0, 3), ()}  # the norms' weights are equal, their statistics too
    net[3].weight.requires_grad_(False)
    net[3].bias.requires_grad_(False)
    plans = {str(gw.plan(net, gw.SwapLayers(), seed=seed)) for seed in range(5)}
    assert all("1.weight" in plan and "0.weight" not in plan for plan in plans)


def test_files_give_the_same_bytes_and_the_recipe_replays(tmp_path: Path) -> None:
    net = make()
    gw.save(net, tmp_path / "n.safetensors")
    mutant = gw.mutate(net, gw.SwapLayers("0", "3"), seed=1)
    on_file = gw.mutate(gw.read_checkpoint(tmp_path / "n.safetensors"), gw.SwapLayers("0", "3"), seed=1)
    assert gw.fingerprint(on_file) == gw.fingerprint(mutant)
    assert gw.fingerprint(gw.replay(gw.recipe(mutant), net)) == gw.fingerprint(mutant)


def test_blocks_are_swapped_whole_where_both_are_named() -> None:
    net = nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)) for _ in range(2)))
    mutant = gw.mutate(net, gw.SwapLayers("0", "1"), seed=1)
    x = torch.randn(3, 4)
    assert torch.equal(mutant(x), net[0](net[1](x)))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3, stride=2)),
        (nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3, padding=1)),
        (nn.LayerNorm(4), nn.LayerNorm(4, eps=0.1)),
        (nn.Linear(4, 4), nn.Linear(4, 4, bias=False)),
        (nn.Linear(4, 5), nn.Linear(5, 4)),
        (nn.BatchNorm1d(4), nn.BatchNorm2d(4)),
    ],
)
def test_layers_of_other_settings_are_not_of_one_signature(first: nn.Module, second: nn.Module) -> None:
    net = nn.Sequential(first, second)
    with pytest.raises(gw.UnsupportedError, match="not of one signature"):
        gw.mutate(net, gw.SwapLayers("0", "1"), seed=1)
    with pytest.raises(gw.UnsupportedError, match="no two layers of one signature"):
        gw.mutate(net, gw.SwapLayers(), seed=1)


def test_what_is_one_or_lies_inside_is_refused() -> None:
    net = make()
    for first, second, words in (("0", "0", "beside each other"), ("2", "2", "beside"), ("0", "5", "5")):
        with pytest.raises(gw.GenewrightError, match=words):
            gw.mutate(net, gw.SwapLayers(first, second), seed=1)
    tied = gw.mutate(net, gw.Tie("0", "3"), seed=1)
    with pytest.raises(gw.UnsupportedError, match="share all their tensors"):
        gw.mutate(tied, gw.SwapLayers("0", "3"), seed=1)
    with pytest.raises(gw.SettingError, match="needs the first"):
        gw.SwapLayers(other="0")
