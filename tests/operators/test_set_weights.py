"""Weights from a model, a state dict or a file: the same bytes from each, and the recipe knows them by fingerprint."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import genewright as gw


def _net(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, Any]:
    """One network in every form that weights may come in."""
    other = _net(2)
    torch.save(other.state_dict(), tmp_path / "other.pt")
    return {
        "model": other,
        "state dict": other.state_dict(),
        "path": tmp_path / "other.pt",
        "text": str(tmp_path / "other.pt"),
        "checkpoint": gw.read_checkpoint(tmp_path / "other.pt"),
    }


@pytest.mark.parametrize("form", ["model", "state dict", "path", "text", "checkpoint"])
def test_a_source_is_given_as_it_is_and_found_again_by_its_fingerprint(sources: dict[str, Any], form: str) -> None:
    net, other = _net(1), sources["model"]
    mutant = gw.mutate(net, gw.SetWeights(sources[form]), seed=1)
    assert gw.fingerprint(mutant) == gw.fingerprint(other)
    text = gw.recipe(mutant).to_json()
    assert str(Path(sources["path"]).parent) not in text  # a recipe travels: it names no folder
    again = gw.replay(gw.Recipe.from_json(text), net, donors=[sources[form]])
    assert gw.fingerprint(again) == gw.fingerprint(mutant)
    with pytest.raises(gw.FingerprintError, match="missing"):
        gw.replay(gw.recipe(mutant), net, donors=[_net(3)])


def test_rewind_without_its_zeros_is_set_weights(sources: dict[str, Any]) -> None:
    masked = gw.mutate(_net(1), gw.MaskSmallest(0.5), seed=1)
    whole = gw.mutate(masked, gw.SetWeights(sources["model"]), seed=1)
    assert gw.fingerprint(whole) == gw.fingerprint(
        gw.mutate(masked, gw.Rewind(sources["path"], keep_zeros=False), seed=1)
    )
    ticket = gw.mutate(masked, gw.Rewind(sources["path"]), seed=1)
    assert torch.equal(ticket[0].weight != 0, masked[0].weight != 0)


def test_every_operator_with_a_donor_takes_the_model_itself(sources: dict[str, Any]) -> None:
    net, other, named = _net(1), sources["model"], {"donors": {"other": sources["model"]}, "seed": 1}
    for made, by_name in (
        (gw.Crossover(other), gw.Crossover("other")),
        (gw.Transfer("0", "0", donor=other), gw.Transfer("0", "0", donor="other")),
        (gw.Sequence([gw.Zero(), gw.Rewind(to=other)]), gw.Sequence([gw.Zero(), gw.Rewind(to="other")])),
    ):
        assert gw.fingerprint(gw.mutate(net, made, seed=1)) == gw.fingerprint(gw.mutate(net, by_name, **named))


def test_a_model_may_be_its_own_source_and_part_of_it_may_be_set(sources: dict[str, Any]) -> None:
    net = _net(1)
    before = copy.deepcopy(net.state_dict())
    gw.mutate(net, [gw.Zero(rate=1.0), gw.SetWeights(net, where="0")], seed=1, inplace=True)
    assert torch.equal(net[0].weight, before["0.weight"])
    assert not net[3].weight.any()
    units = gw.mutate(net, gw.SetWeights(sources["model"], where=gw.where("3", units=[1])), seed=1)
    assert torch.equal(units[3].weight[1], sources["model"][3].weight[1])
    assert not units[3].weight[0].any()


def test_numbers_by_position_are_values() -> None:
    assert gw.SetWeights(np.arange(3.0)) == gw.SetWeights([0, 1, 2]) == gw.SetWeights(values=(0.0, 1.0, 2.0))


def test_what_cannot_be_a_source_is_refused(sources: dict[str, Any]) -> None:
    net = _net(1)
    with pytest.raises(gw.SettingError, match="Leave one out"):
        gw.SetWeights(sources["model"], values=(1.0,))
    with pytest.raises(gw.SettingError, match=r"Write gw.SetWeights\(source=model\)"):
        gw.SetWeights(3)
    with pytest.raises(gw.UnknownNameError, match="no file has that name"):
        gw.mutate(net, gw.SetWeights("missing.pt"), seed=1)
    with pytest.raises(gw.UnknownNameError, match=r"no tensor '0\.weight'; it has 'head'"):
        gw.mutate(net, gw.SetWeights({"head": torch.ones(2)}), seed=1)
    with pytest.raises(gw.UnsupportedError, match=r"gw\.Transfer"):
        gw.mutate(net, gw.SetWeights(nn.Sequential(nn.Linear(4, 9)), where="0"), seed=1)
