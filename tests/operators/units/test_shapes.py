"""SplitUnits, MergeUnits, FoldConstantUnits and PruneUnits: units come and go."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import genewright as gw
from tests.operators.units.nets import images, mlp


def parameters(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def assert_outputs_stay(net: nn.Module, mutant: nn.Module, x: torch.Tensor) -> None:
    with torch.no_grad():
        assert float((mutant(x) - net(x)).abs().max()) < 1e-9 * float(net(x).abs().max())


def assert_replays(net: nn.Module, mutant: Any) -> None:
    assert gw.fingerprint(gw.replay(gw.recipe(mutant), net)) == gw.fingerprint(mutant)


def test_chosen_units_are_split_and_the_outputs_stay() -> None:
    net, x = images()
    operator = gw.SplitUnits(rate=1.0, where=gw.where("0.weight", "3.weight", units={"0": [4, 1], "3": [2]}))
    mutant = gw.mutate(net, operator, seed=1, example=x)
    assert torch.equal(mutant[0].weight[6:], net[0].weight[[1, 4]])
    assert torch.equal(mutant[1].running_mean[6:], net[1].running_mean[[1, 4]])
    assert mutant[3].out_channels == 5
    assert_outputs_stay(net, mutant, x)
    shares = (mutant[3].weight[:4, 6:] / net[3].weight[:, [1, 4]]).flatten()
    assert ((shares >= 0.5) & (shares < 0.75)).all()
    assert_replays(net, mutant)


def test_splits_are_exact_and_nested_in_count() -> None:
    net, x = images()
    copied: set[tuple[str, int]] = set()
    for count in range(1, 11):
        mutant = gw.mutate(net, gw.SplitUnits(count=count), seed=7, example=x)
        found = set()
        for name, at in (("0", 0), ("3", 3)):
            old, new = net[at].bias, mutant[at].bias[len(net[at].bias) :]
            found |= {(name, int((old == value).nonzero())) for value in new}
        assert len(found) == count
        assert copied < found
        copied = found


def test_duplicates_merge_exactly() -> None:
    net, x = images()
    with torch.no_grad():
        for tensor in (net[0].weight, net[0].bias, net[1].weight, net[1].bias, net[1].running_mean):
            tensor[5] = tensor[3] = tensor[1].clone()
    mutant = gw.mutate(net, gw.MergeUnits(), seed=1, example=x)
    assert mutant[0].out_channels == 4
    assert_outputs_stay(net, mutant, x)
    some = gw.mutate(net, gw.MergeUnits(where=gw.where("0", units={"0": [3, 5]})), seed=1, example=x)
    assert some[0].out_channels == 5
    assert_outputs_stay(net, some, x)
    assert_replays(net, mutant)


@pytest.mark.parametrize("seed", range(8))
def test_duplicates_in_single_precision_merge_up_to_the_rounding_of_their_sum(seed: int) -> None:
    """Two sums of float32 numbers are rounded, each by at most half a unit in its last place: 2**-24 of what it is."""
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Linear(10, 3))
    with torch.no_grad():
        for tensor in (net[0].weight, net[0].bias):
            tensor[[2, 5]] = tensor[0].clone()
    x = torch.randn(8, 6)
    mutant = gw.mutate(net, gw.MergeUnits(), seed=1, example=x)
    assert mutant[0].out_features == 8
    net, mutant, x = net.double(), mutant.double(), x.double()
    hidden = net[:2](x)[:, 0]
    bound = 2 * 2**-24 * hidden[:, None] * net[2].weight[:, [0, 2, 5]].abs().sum(1)
    assert bool(((mutant(x) - net(x)).abs() <= bound + 1e-15).all())


def test_near_duplicates_merge_by_least_squares_and_a_replay_needs_no_data() -> None:
    net, x = mlp(nn.Identity())
    with torch.no_grad():
        net[0].weight[6] = -2 * net[0].weight[2]
        net[0].bias[6] = 0.7  # a = -2 of unit 2, and a shift: exact but for rounding
    with pytest.raises(gw.SelectionError, match="equal"):
        gw.mutate(net, gw.MergeUnits(), seed=1, example=x)
    plan = gw.plan(net, gw.MergeUnits(threshold=0.999), seed=1, example=x)
    assert "least squares" in str(plan)
    mutant = plan.apply()
    assert mutant[0].out_features == 7
    torch.testing.assert_close(mutant(x), net(x), rtol=1e-6, atol=1e-8)
    assert_replays(net, mutant)


def test_the_fit_is_that_of_least_squares() -> None:
    net, x = mlp(nn.Tanh())
    values = torch.tanh(net[0](x)).detach().numpy()
    alike = np.abs(np.corrcoef(values.T)) - np.eye(8)
    first, second = sorted(np.unravel_index(alike.argmax(), alike.shape))
    mutant = gw.mutate(net, gw.MergeUnits(threshold=float(alike.max()) - 1e-9), seed=1, example=x)
    slope, shift = np.polyfit(values[:, first], values[:, second], 1)
    old = net[2].weight.detach().numpy()
    wanted = old[:, first] + slope * old[:, second]
    assert np.allclose(mutant[2].weight[:, first].detach().numpy(), wanted, rtol=1e-6)
    assert np.allclose((mutant[2].bias - net[2].bias).detach().numpy(), shift * old[:, second], rtol=1e-5)


@pytest.mark.parametrize("padding", [0, 1])
def test_constants_are_folded_or_stay_where_that_is_not_exact(padding: int) -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.Sigmoid(), nn.Conv2d(6, 4, 3, padding=padding)]
    net, x = nn.Sequential(*layers).double().eval(), torch.randn(2, 3, 9, 9).double()
    with torch.no_grad():
        net[0].weight[[0, 3]] = 0.0
    if padding:
        with pytest.raises(gw.SelectionError, match="rows of zeros"):
            gw.mutate(net, gw.FoldConstantUnits(), seed=1, example=x)
        return
    mutant = gw.mutate(net, gw.FoldConstantUnits(), seed=1, example=x)
    assert mutant[0].out_channels == 4
    assert_outputs_stay(net, mutant, x)
    assert_replays(net, mutant)


def test_units_of_value_zero_go_whatever_reads_them() -> None:
    net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2, bias=False)).double()
    with torch.no_grad():
        net[0].weight[:] = 0.0
        net[0].bias[:] = torch.tensor([-1.0, 0.0, 2.0, -3.0, 1.0])
    x = torch.randn(6, 4).double()
    mutant = gw.mutate(net, gw.FoldConstantUnits(), seed=1, example=x)
    assert mutant[0].bias.tolist() == [2.0, 1.0]
    assert_outputs_stay(net, mutant, x)


@pytest.mark.parametrize(("scope", "sizes"), [("layer", (3, 2)), ("all", None)])
def test_a_share_of_the_units_goes_by_layer_or_over_all(scope: str, sizes: tuple[int, int] | None) -> None:
    net, x = images()
    with torch.no_grad():
        net[0].weight[:] *= torch.tensor([1, 1e-3, 1e-3, 1e-3, 1e-3, 2])[:, None, None, None]
    mutant = gw.mutate(net, gw.PruneUnits(fraction=0.5, by="l1", scope=scope), seed=1, example=x)  # type: ignore[arg-type]
    made = (mutant[0].out_channels, mutant[3].out_channels)
    assert sum(made) == 5
    if sizes:
        assert made == sizes
    else:
        scores = [net[at].weight.detach().abs().flatten(1).sum(dim=1) for at in (0, 3)]
        every = sorted((float(s), at) for at, of in enumerate(scores) for s in of / of.mean())
        assert made == (6 - sum(at == 0 for _, at in every[:5]), 4 - sum(at == 1 for _, at in every[:5]))
    assert_replays(net, mutant)


@pytest.mark.parametrize("scope", ["layer", "all"])
def test_the_fewest_units_with_which_so_many_parameters_are_gone(scope: str) -> None:
    net, x = images()
    whole = parameters(net)
    for fraction in (0.1, 0.4, 0.7):
        operator = gw.PruneUnits(fraction=fraction, target="parameters", scope=scope)  # type: ignore[arg-type]
        mutant = gw.mutate(net, operator, seed=1, example=x)
        assert parameters(mutant) <= (1 - fraction) * whole
        smallest = 3 * 9 + 1 + 2 + 4 * 9  # the least that one unit more has
        assert parameters(mutant) + 3 * 25 + 6 * 9 + 1 + smallest > (1 - fraction) * whole
    with pytest.raises(gw.SettingError, match=r"at most [\d.]+% of the parameters"):
        gw.mutate(net, gw.PruneUnits(fraction=0.99, target="parameters"), seed=1, example=x)


def test_pruning_by_a_measure_is_replayed_without_data_and_repairs_lessen_the_loss() -> None:
    net, x = mlp(nn.GELU())
    x = torch.cat([x, x * 0.5])
    plain = gw.mutate(net, gw.PruneUnits(fraction=0.5, by="variance"), seed=1, example=x)
    repaired = gw.mutate(net, gw.PruneUnits(fraction=0.5, by="variance", repair="least_squares"), seed=1, example=x)
    assert_replays(net, plain)
    with torch.no_grad():
        lost, left = (float((net(x) - mutant(x)).square().mean()) for mutant in (plain, repaired))
    assert left < 0.5 * lost
    with pytest.raises(gw.ExampleError):
        gw.replay(gw.recipe(repaired), net)


def test_only_chosen_units_go() -> None:
    net, x = images()
    chosen = gw.where("0", units={"0": [1, 3, 4]})
    mutant = gw.mutate(net, gw.PruneUnits(fraction=0.9, where=chosen), seed=1, example=x)
    assert torch.equal(mutant[0].bias, net[0].bias[[0, 2, 5]])
    assert mutant[3].out_channels == 4


def test_refusals() -> None:
    net, x = images()
    for settings in ({"fraction": 1.0}, {"scope": "model"}, {"target": "bytes"}, {"by": "size"}, {"repair": "some"}):
        with pytest.raises(gw.SettingError):
            gw.PruneUnits(**settings)  # type: ignore[arg-type]
    with pytest.raises(gw.SettingError, match="removes none"):
        gw.mutate(net, gw.PruneUnits(fraction=0.01), seed=1, example=x)
    with pytest.raises(gw.SelectionError, match="hidden units"):
        gw.mutate(nn.Linear(3, 2), gw.SplitUnits(), seed=1, example=torch.zeros(1, 3))
