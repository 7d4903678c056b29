"""Crossover: units as wholes, from a network of the same layers."""

from __future__ import annotations

import pytest
import torch
from tests.networks import make
from torch import nn

import genewright as gw


def other_of(name: str) -> nn.Module:
    other = make(name)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1.0)
    return other


@pytest.mark.parametrize(
    "name", ["mlp", "conv_batchnorm", "lstm", "transformer_layer", "tied_autoencoder", "mlp_bfloat16"]
)
def test_each_unit_is_one_parents_or_the_others_as_a_whole(name: str) -> None:
    net, other = make(name), other_of(name)
    child = gw.mutate(net, gw.Crossover(rate=0.5), seed=3, donors={"mate": other})
    taken: dict[str, list[bool]] = {}
    for key, made in child.named_parameters():
        mine, theirs = net.get_parameter(key), other.get_parameter(key)
        for unit in range(made.shape[0]):
            is_theirs = torch.equal(made[unit], theirs[unit])
            assert is_theirs or torch.equal(made[unit], mine[unit])
            taken.setdefault(f"{key.rpartition('.')[0]} of {made.shape[0]}", []).append(is_theirs)
    assert any(any(units) for units in taken.values())
    assert not all(all(units) for units in taken.values())
    assert gw.fingerprint(gw.replay(gw.recipe(child), net, donors=[other])) == gw.fingerprint(child)


def test_a_unit_comes_with_its_bias() -> None:
    net, other = nn.Linear(3, 64), nn.Linear(3, 64)
    child = gw.mutate(net, gw.Crossover(rate=0.25), seed=1, donors={"mate": other})
    rows = (child.weight == other.weight).all(1)
    assert torch.equal(rows, child.bias == other.bias)
    assert 6 <= int(rows.sum()) <= 26  # 16 expected, standard deviation 3.5


def test_layers_of_other_shapes_stay_and_none_alike_is_refused() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    wide = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5))
    child = gw.mutate(net, gw.Crossover(rate=1.0, other_sizes="skip"), seed=1, donors={"mate": wide})
    assert torch.equal(child[0].weight, wide[0].weight)
    assert torch.equal(child[1].weight, net[1].weight)
    with pytest.raises(gw.SelectionError, match="no layer of the donor 'mate' has the shapes"):
        gw.mutate(net, gw.Crossover(other_sizes="skip"), seed=1, donors={"mate": nn.Linear(3, 3)})
    with pytest.raises(gw.UnsupportedError, match=r"'1.weight' has shape \(2, 4\) here and \(5, 4\) in the donor"):
        gw.mutate(net, gw.Crossover(), seed=1, donors={"mate": wide})


def test_where_limits_it_and_seed_and_settings_tell_it() -> None:
    net, other = make("mlp"), other_of("mlp")
    child = gw.mutate(net, gw.Crossover(rate=1.0, where="2"), seed=1, donors={"mate": other})
    assert torch.equal(child[0].weight, net[0].weight)
    assert torch.equal(child[2].weight, other[2].weight)
    first, again, differs = (
        gw.fingerprint(gw.mutate(net, gw.Crossover(), seed=seed, donors={"mate": other})) for seed in (1, 1, 2)
    )
    assert first == again != differs
    with pytest.raises(gw.SettingError, match="rate"):
        gw.Crossover(rate=1.5)


def test_a_cell_comes_with_all_its_gates() -> None:
    net, other = nn.LSTM(3, 16), nn.LSTM(3, 16)
    child = gw.mutate(net, gw.Crossover(), seed=1, donors={"mate": other})
    gates = (child.weight_ih_l0 == other.weight_ih_l0).all(1).view(4, 16)
    assert bool((gates == gates[0]).all())
    assert 0 < int(gates[0].sum()) < 16
    assert torch.equal(gates.flatten(), (child.weight_hh_l0 == other.weight_hh_l0).all(1))


def test_a_number_alone_is_drawn_like_any_element() -> None:
    net, other = make("scalars_and_empty"), other_of("scalars_and_empty")
    taken = set[float]()
    for seed in range(8):
        child = gw.mutate(net, gw.Crossover(kind="uniform"), seed=seed, donors={"mate": other})
        taken.add(float(child.get_parameter("scale").detach()))
    assert taken == {2.0, 3.0}


def test_complex_numbers_lie_on_the_arc_by_both_their_parts() -> None:
    pair = [torch.randn(5, dtype=torch.complex128, generator=torch.Generator().manual_seed(s)) for s in (1, 2)]
    net, other = (nn.ParameterList([each]) for each in pair)
    real, other_real = (nn.ParameterList([torch.view_as_real(each).clone()]) for each in pair)
    slerp = gw.Crossover(kind="slerp", t=0.3)
    child = gw.mutate(net, slerp, seed=1, donors={"mate": other})
    expected = gw.mutate(real, slerp, seed=1, donors={"mate": other_real})
    torch.testing.assert_close(torch.view_as_real(child[0]), expected[0], rtol=1e-10, atol=1e-12)


def test_a_draw_of_nothing_is_a_child_like_its_parent() -> None:
    net, other = nn.Linear(3, 2), nn.Linear(3, 2)
    child = gw.mutate(net, gw.Crossover(kind="layer", rate=1e-9), seed=1, donors={"mate": other})
    assert gw.fingerprint(child) == gw.fingerprint(net)
    assert gw.fingerprint(gw.replay(gw.recipe(child), net, donors=[other])) == gw.fingerprint(net)
