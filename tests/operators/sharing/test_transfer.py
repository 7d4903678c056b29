"""Transfer: a share of one layer's weights into another."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

import genewright as gw


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.ModuleDict(
        {
            "a": nn.Conv2d(3, 8, 3),
            "b": nn.Conv2d(3, 8, 3),
            "wide": nn.Conv2d(3, 12, 3),
            "other": nn.Conv2d(5, 8, 3),
            "up": nn.ConvTranspose2d(3, 8, 3),
            "up2": nn.ConvTranspose2d(3, 8, 3),
            "norm": nn.BatchNorm2d(8),
        }
    )


def test_the_first_half_of_the_output_filters(net: nn.Module) -> None:
    mutant = gw.mutate(net, gw.Transfer("a", "b", fraction=0.5, axis="out"), seed=1)
    for name in ("weight", "bias"):
        old, new, source = (getattr(m, name) for m in (net["b"], mutant["b"], net["a"]))
        assert torch.equal(new[:4], source[:4])
        assert torch.equal(new[4:], old[4:])
    assert torch.equal(mutant["a"].weight, net["a"].weight)
    assert mutant["a"].weight is not mutant["b"].weight


def test_inputs_leave_the_bias(net: nn.Module) -> None:
    mutant = gw.mutate(net, gw.Transfer("a", "b", fraction=1 / 3, axis="in"), seed=1)
    assert torch.equal(mutant["b"].weight[:, :1], net["a"].weight[:, :1])
    assert torch.equal(mutant["b"].weight[:, 1:], net["b"].weight[:, 1:])
    assert torch.equal(mutant["b"].bias, net["b"].bias)


def test_transposed_convolutions_have_their_units_along_axis_1(net: nn.Module) -> None:
    mutant = gw.mutate(net, gw.Transfer("up", "up2", fraction=0.25), seed=1)
    assert torch.equal(mutant["up2"].weight[:, :2], net["up"].weight[:, :2])
    assert torch.equal(mutant["up2"].weight[:, 2:], net["up2"].weight[:, 2:])


def test_a_larger_target_takes_it_a_smaller_one_does_not(net: nn.Module) -> None:
    mutant = gw.mutate(net, gw.Transfer("a", "wide"), seed=1)
    assert torch.equal(mutant["wide"].weight[:8], net["a"].weight)
    with pytest.raises(gw.UnsupportedError, match=r"\(12, 3, 3, 3\).*\(8, 3, 3, 3\)"):
        gw.mutate(net, gw.Transfer("wide", "a"), seed=1)
    mutant = gw.mutate(net, gw.Transfer("wide", "a", fraction=0.5), seed=1)
    assert torch.equal(mutant["a"].weight[:6], net["wide"].weight[:6])


@pytest.mark.parametrize(
    ("operator", "error", "match"),
    [
        (lambda: gw.Transfer("a", "other"), gw.UnsupportedError, r"\(8, 3, 3, 3\).*\(8, 5, 3, 3\)"),
        (lambda: gw.Transfer("a", "bb"), gw.UnknownNameError, "Did you mean"),
        (lambda: gw.Transfer("a", "a"), gw.UnsupportedError, "already"),
        (lambda: gw.Transfer("norm.running_mean", "a"), gw.SelectionError, "nothing of one name"),
        (lambda: gw.Transfer("norm.weight", "norm.bias", axis="in"), gw.SelectionError, "no axis 'in'"),
        (lambda: gw.Transfer("a"), gw.SettingError, "both"),
        (lambda: gw.Transfer("a", "b", fraction=1.5), gw.SettingError, "from 0 to 1"),
        (lambda: gw.Transfer("a", "b", axis="up"), gw.SettingError, "out, in"),
    ],
)  # fmt: skip
def test_refusals_change_nothing(
    net: nn.Module, operator: Callable[[], gw.Operator], error: type[Exception], match: str
) -> None:
    before = gw.fingerprint(net)
    with pytest.raises(error, match=match):
        gw.mutate(net, operator(), seed=1, inplace=True)
    assert gw.fingerprint(net) == before


def test_frozen_layers_only_by_full_name(net: nn.Module) -> None:
    net["b"].requires_grad_(False)
    with pytest.raises(gw.SelectionError, match=r"'b\.weight'"):
        gw.mutate(net, gw.Transfer("a", "b"), seed=1)
    mutant = gw.mutate(net, gw.Transfer("a.weight", "b.weight"), seed=1)
    assert torch.equal(mutant["b"].weight, net["a"].weight)


def test_between_dtypes_it_rounds_once(net: nn.Module) -> None:
    net["b"].bfloat16()
    mutant = gw.mutate(net, gw.Transfer("a", "b"), seed=1)
    assert torch.equal(mutant["b"].weight, net["a"].weight.bfloat16())


def test_undo_replay_and_the_seeds_choice(net: nn.Module) -> None:
    before = gw.fingerprint(net)
    with gw.mutated(net, gw.Transfer("a", "b"), seed=1):
        assert torch.equal(net["b"].weight, net["a"].weight)
    assert gw.fingerprint(net) == before
    chosen = {gw.recipe(gw.mutate(net, gw.Transfer(), seed=seed)).steps[0].operator for seed in range(12)}
    assert len(chosen) > 1
    assert all(operator.source and operator.target for operator in chosen)
    mutant = gw.mutate(net, gw.Transfer(), seed=3)
    assert gw.fingerprint(gw.replay(gw.recipe(mutant), net)) == gw.fingerprint(mutant)


def test_a_plan_says_where_it_comes_from(net: nn.Module) -> None:
    text = str(gw.plan(net, gw.Transfer("a", "b", fraction=0.5), seed=1))
    assert "copied from a.weight, 4 positions of axis 0" in text


def test_the_conformance_suite() -> None:
    gw.check_operator(gw.Transfer)
