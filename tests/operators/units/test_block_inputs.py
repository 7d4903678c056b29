"""BlockInputs: a layer that no longer sees some of its inputs."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import genewright as gw
from tests.operators.units.nets import images


def test_outputs_do_not_depend_on_a_blocked_input_and_nothing_else_changes() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    mutant = gw.mutate(net, gw.BlockInputs(count=2, where="0"), seed=1)
    blocked = (mutant[0].weight == 0).all(dim=0).nonzero().ravel().tolist()
    assert len(blocked) == 2
    x = torch.randn(5, 6)
    other = x.clone()
    other[:, blocked] = torch.randn(5, 2) * 100
    assert torch.equal(mutant(x), mutant(other))
    kept = [at for at in range(6) if at not in blocked]
    assert torch.equal(mutant[0].weight[:, kept], net[0].weight[:, kept])
    assert torch.equal(mutant[0].bias, net[0].bias)
    assert torch.equal(mutant[2].weight, net[2].weight)
    zeros = x.clone()
    zeros[:, blocked] = 0
    assert torch.allclose(mutant(x), net(zeros), atol=1e-6)


def test_counts_and_rates_are_nested_and_a_rate_takes_of_each_kernel() -> None:
    net = nn.Sequential(nn.Linear(10, 4), nn.Linear(4, 3))

    def blocked(**settings: object) -> set[tuple[int, int]]:
        made = gw.mutate(net, gw.BlockInputs(**settings), seed=3)  # type: ignore[arg-type]
        return {(at, int(j)) for at in (0, 1) for j in (made[at].weight == 0).all(dim=0).nonzero().ravel()}

    assert blocked(count=2) < blocked(count=5)
    assert blocked(rate=0.25) < blocked(rate=0.5)
    assert len(blocked(rate=0.25)) == 3 + 1
    with pytest.raises(gw.SettingError, match="at most the 14 units"):
        blocked(count=15)


def test_channels_of_a_convolution_and_inputs_of_chosen_units_alone() -> None:
    net, x = images()
    mutant = gw.mutate(net, gw.BlockInputs(count=1, where="0.weight"), seed=1, example=x)
    assert int((mutant[0].weight == 0).all(dim=(0, 2, 3)).sum()) == 1
    some = gw.mutate(nn.Linear(4, 3), gw.BlockInputs(rate=1.0, where=gw.where("weight", units=[1])), seed=1)
    assert (some.weight[1] == 0).all()
    assert (some.weight[[0, 2]] != 0).all()


def test_the_state_of_a_recurrent_layer_is_no_input() -> None:
    net = nn.LSTM(3, 4)
    mutant = gw.mutate(net, gw.BlockInputs(rate=1.0), seed=1)
    assert (mutant.weight_ih_l0 == 0).all()
    assert torch.equal(mutant.weight_hh_l0, net.weight_hh_l0)


@pytest.mark.parametrize("layer", [nn.Conv2d(4, 6, 3, groups=2), nn.Conv2d(4, 8, 3, groups=4)])
def test_in_groups_each_input_is_blocked_where_it_is_read(layer: nn.Conv2d) -> None:
    net = nn.Sequential(layer)
    for seed in range(4):
        mutant = gw.mutate(net, gw.BlockInputs(count=2), seed=seed)
        x = torch.randn(2, 4, 5, 5)
        depends = []
        for channel in range(4):
            other = x.clone()
            other[:, channel] += 1
            depends.append(not torch.equal(mutant(x), mutant(other)))
        assert depends.count(False) == 2
        blocked = [at for at, on in enumerate(depends) if not on]
        zeros = x.clone()
        zeros[:, blocked] = 0
        assert torch.allclose(mutant(x), net(zeros), atol=1e-6)


def test_a_kernel_made_from_other_tensors_is_refused() -> None:
    weighed = nn.Sequential(torch.nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)))
    with pytest.raises(gw.GenewrightError, match="BlockInputs"):
        gw.mutate(weighed, gw.BlockInputs(), seed=1)
    with pytest.raises(gw.SelectionError, match="acts on kernels of layers"):
        gw.mutate(nn.Linear(4, 4), gw.BlockInputs(where="bias"), seed=1)
