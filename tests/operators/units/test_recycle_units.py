"""RecycleUnits: dormant units start again, with what optimizers hold of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import genewright as gw
from genewright import noise
from tests.operators.units.nets import images, mlp


def _dead() -> tuple[nn.Sequential, torch.Tensor]:
    net, x = mlp(nn.ReLU())
    with torch.no_grad():
        net[0].bias[[2, 6]] = -50.0
    return net, x


def test_dormant_units_start_again_and_the_outputs_stay() -> None:
    net, x = _dead()
    mutant = gw.mutate(net, gw.RecycleUnits(), seed=3, example=x)
    assert torch.equal(mutant(x), net(x))
    assert not mutant[2].weight[:, [2, 6]].any()
    assert (mutant[0].weight[[2, 6]].abs() <= 0.5).all()  # U(-1 / sqrt(4), 1 / sqrt(4))
    assert (mutant[0].bias[[2, 6]].abs() <= 0.5).all()
    kept = [0, 1, 3, 4, 5, 7]
    assert torch.equal(mutant[0].weight[kept], net[0].weight[kept])
    assert torch.equal(mutant[2].weight[:, kept], net[2].weight[:, kept])
    stream = noise.derive(3, name="0.weight:0", path="/0", salt="recycle_units")
    drawn = noise.draw(stream, "uniform", np.arange(8, 12), "float64") * 0.5
    assert np.allclose(mutant[0].weight[2].detach().numpy(), drawn)


def test_those_of_the_published_score_are_recycled() -> None:
    net, x = mlp(nn.ReLU())
    values = torch.relu(net[0](x)).abs().mean(dim=0).detach()
    score = values / values.mean()
    tau = float(score.sort().values[2:4].mean())
    mutant = gw.mutate(net, gw.RecycleUnits(threshold=tau), seed=1, example=x)
    gone = (mutant[2].weight == 0).all(dim=0)
    assert torch.equal(gone, score <= tau)
    assert int(gone.sum()) == 3


def test_units_of_a_table_are_recycled_behind_norms_too() -> None:
    net, x = images()
    with torch.no_grad():
        net[1].bias[4], net[1].weight[4] = -9.0, 0.1
    table = gw.neurons.measure(net, x, measures=["active_fraction"]).filter("active_fraction == 0")
    mutant = gw.mutate(net, gw.RecycleUnits(where=gw.where(units=table.mask("0"))), seed=1, example=x)
    assert mutant[1].weight[4].item() == 1.0
    assert mutant[1].bias[4].item() == 0.0
    assert torch.equal(mutant[1].running_mean, net[1].running_mean)
    assert not mutant[3].weight[:, 4].any()
    torch.testing.assert_close(mutant(x), net(x))
    assert gw.fingerprint(gw.replay(gw.recipe(mutant), net)) == gw.fingerprint(mutant)


@pytest.mark.parametrize("make", [lambda p: torch.optim.Adam(p, 0.01), lambda p: torch.optim.SGD(p, 0.01, 0.9)])
def test_moments_of_both_sides_start_again(make: Any) -> None:
    net, x = _dead()
    optimizer = make(net.parameters())
    for _ in range(3):
        optimizer.zero_grad()
        net(x).square().mean().backward()
        optimizer.step()
    before = {p: {k: v.clone() for k, v in s.items() if v is not None} for p, s in optimizer.state.items()}
    gw.mutate(
        net, gw.RecycleUnits(where=gw.where(units={"0": [1]})), seed=1, example=x, inplace=True, optimizer=optimizer
    )
    for parameter, place in ((net[0].weight, (1,)), (net[0].bias, (1,)), (net[2].weight, (slice(None), 1))):
        for key, value in optimizer.state[parameter].items():
            if value.dim() == 0:
                assert torch.equal(value, before[parameter][key])
                continue
            others = torch.ones_like(value, dtype=torch.bool)
            others[place] = False
            assert torch.equal(value[others], before[parameter][key][others])
            fresh = value[others].mean() if key == "exp_avg_sq" else torch.zeros(())
            assert torch.allclose(value[place], fresh.to(value.dtype).expand_as(value[place]))
    assert torch.equal(
        optimizer.state[net[2].bias]["exp_avg" if "exp_avg" in optimizer.state[net[2].bias] else "momentum_buffer"],
        before[net[2].bias]["exp_avg" if "exp_avg" in before[net[2].bias] else "momentum_buffer"],
    )
    optimizer.zero_grad()
    net(x).square().mean().backward()
    optimizer.step()
    assert net[2].weight[:, 1].any()


def test_an_undo_brings_moments_back() -> None:
    net, x = _dead()
    optimizer = torch.optim.Adam(net.parameters())
    net(x).square().mean().backward()
    optimizer.step()
    before = optimizer.state[net[0].weight]["exp_avg"].clone()
    operators = [gw.RecycleUnits(where=gw.where(units={"0": [1]})), gw.RecycleUnits(where=gw.where(units={"9": [1]}))]
    with pytest.raises(gw.SelectionError):
        gw.mutate(net, operators, seed=1, example=x, inplace=True, optimizer=optimizer)
    assert torch.equal(optimizer.state[net[0].weight]["exp_avg"], before)


class Scaled(nn.Module):
    """Takes a batch, and one number for all of its samples."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(4, 6), nn.Linear(6, 2)

    def forward(self, x: torch.Tensor, scale: Any) -> torch.Tensor:
        return self.head(torch.relu(self.first(x))) * scale


@pytest.mark.parametrize("scale", [torch.tensor(2.0), 2.0], ids=["tensor", "number"])
def test_a_number_for_all_samples_may_stand_among_the_inputs(scale: Any) -> None:
    net, x = Scaled(), torch.randn(12, 4)
    with torch.no_grad():
        net.first.bias[3] = -50.0
    for example in ((x, scale), {"x": x, "scale": scale}):
        alive = gw.mutate(net, gw.RecycleUnits(where="first"), seed=1, example=example)
        assert alive.first.bias[3] > -1
        assert torch.equal(alive(x, scale), net(x, scale))
    with pytest.raises(gw.DataError, match="no arrays of samples"):
        gw.neurons.measure(net, [((scale, scale), x)])


def test_refusals() -> None:
    net, x = mlp(nn.Sigmoid())
    with pytest.raises(gw.SelectionError, match="no unit has a dormancy"):
        gw.mutate(net, gw.RecycleUnits(), seed=1, example=x)
    with pytest.raises(gw.ExampleError):
        gw.mutate(net, gw.RecycleUnits(), seed=1)
    with pytest.raises(gw.SettingError, match="threshold"):
        gw.RecycleUnits(threshold=-1.0)
    net[2].weight.requires_grad_(False)
    with pytest.raises(gw.UnsupportedError, match="frozen"):
        gw.mutate(net, gw.RecycleUnits(threshold=9.0), seed=1, example=x)
