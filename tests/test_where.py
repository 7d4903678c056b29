"""where: which tensors and units are chosen."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import genewright as gw
from genewright.backends import backend_of
from genewright.tensor import ROLES
from genewright.where import as_layers, as_where
from tests.networks import make


def chosen(model: nn.Module, where: Any) -> list[str]:
    return [s.tensor.name for s in as_where(where).select(backend_of(model).network(model))]


@pytest.fixture
def net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


ALL = ["0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias"]


@pytest.mark.parametrize(
    ("where", "names"),
    [
        (None, ALL),
        ((), ALL),
        ("0.*", ["0.weight", "0.bias"]),
        ("0", ["0.weight", "0.bias"]),
        ("*.bias", ["0.bias", "1.bias", "3.bias"]),
        (("*", "!*.bias"), ["0.weight", "1.weight", "3.weight"]),
        ("!1.*", ["0.weight", "0.bias", "3.weight", "3.bias"]),
        ("?.weight", ["0.weight", "1.weight", "3.weight"]),
        (gw.where(roles="kernel"), ["0.weight", "3.weight"]),
        (gw.where(roles=["bias", "norm_bias"]), ["0.bias", "1.bias", "3.bias"]),
        (gw.where(layers="Linear"), ["3.weight", "3.bias"]),
        (gw.where(layers=["Conv2d", "1"]), ["0.weight", "0.bias", "1.weight", "1.bias"]),
        (gw.where("*.weight", layers="Linear"), ["3.weight"]),
        ("1.running_mean", ["1.running_mean"]),
        ("1/running_mean", ["1.running_mean"]),
        ("3/*", ["3.weight", "3.bias"]),
        (("1.running_mean", "0.bias"), ["0.bias", "1.running_mean"]),
        (gw.where("1.*", frozen=True), ["1.weight", "1.bias", *(f"1.{n}" for n in ("running_mean", "running_var"))]),
    ],
)
def test_what_is_chosen(where: Any, names: list[str], net: nn.Module) -> None:
    found = chosen(net, where)
    assert [n for n in found if n != "1.num_batches_tracked"] == names


BRACKETS = {"a[0]": nn.Linear(3, 4), "a[1]": nn.Linear(3, 4), "a0": nn.Linear(3, 4), "!b": nn.ReLU()}


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ("a[0].weight", ["a[0].weight"]),
        ("a[0]", ["a[0].weight", "a[0].bias"]),
        ("a[*].bias", ["a[0].bias", "a[1].bias"]),
        ("a[?].bias", ["a[0].bias", "a[1].bias"]),
        (("*.bias", "!a[0]"), ["a[1].bias", "a0.bias"]),
        (gw.where("*.bias", layers="a[1]"), ["a[1].bias"]),
        (gw.where(units={"a[1]": [2]}), ["a[1].weight", "a[1].bias"]),
        (gw.where(units={"a[*]": [2]}), ["a[0].weight", "a[0].bias", "a[1].weight", "a[1].bias"]),
    ],
)
def test_brackets_are_part_of_a_name(where: Any, names: list[str]) -> None:
    assert chosen(nn.ModuleDict(BRACKETS), where) == names


def test_brackets_are_no_class_of_characters(net: nn.Module) -> None:
    with pytest.raises(gw.SelectionError, match=r"no tensor matches '\[03\]\.weight'"):
        chosen(net, "[03].weight")


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ((), True),
        ("stages.0", True),
        ("stages", True),
        ("st?ges.*.act[0]", True),
        ("act[0]", False),
        ("ReLU", True),
        (("*", "!stages.0"), False),
        (("*", "!ReLU"), False),
        (gw.where(layers="ReLU"), True),
        (gw.where("stages.1", layers="ReLU"), False),
        (gw.where("stages", layers=["GELU", "*act[0]"]), True),
        (gw.where("stages", layers="GELU"), False),
    ],
)
def test_layers_are_chosen_by_name_and_class(where: Any, expected: bool) -> None:
    assert as_layers("Somebody", where).has_layer("stages.0.act[0]", "ReLU") is expected


@pytest.mark.parametrize(
    ("where", "received"),
    [
        (gw.where("a", roles="kernel"), "roles="),
        (gw.where(units=[0]), "units="),
        (gw.where(frozen=True), "frozen=True"),
    ],
)
def test_layers_have_no_roles_units_or_values(where: gw.Where, received: str) -> None:
    with pytest.raises(gw.SettingError, match=rf"Somebody: where chooses layers.*{received}.*Write where="):
        as_layers("Somebody", where)


def test_a_pattern_does_not_match_a_part_of_a_name() -> None:
    model = nn.ModuleDict({"layer1": nn.Linear(2, 2), "layer10": nn.Linear(2, 2)})
    assert chosen(model, "layer1") == ["layer1.weight", "layer1.bias"]
    assert chosen(model, "layer1*") == ["layer1.weight", "layer1.bias", "layer10.weight", "layer10.bias"]


def test_a_pattern_reaches_through_nested_layers() -> None:
    model = make("nested_class")
    assert chosen(model, "body") == [f"body.{n}.{t}" for n in ("first", "second") for t in ("weight", "bias")]
    assert chosen(model, "body.*.bias") == ["body.first.bias", "body.second.bias"]


def test_every_role_is_used_by_some_layer() -> None:
    models = [make(n) for n in ("lstm", "embedding_padding", "norms", "conv_batchnorm", "parameter_lists")]
    models.append(make("spectral_norm"))
    found = {t.role for m in models for t in backend_of(m).network(m).tensors.values()}
    assert found == set(ROLES)


@pytest.mark.parametrize("units", [[1, 3], (3, 1, 1), np.array([1, 3]), [False, True, False, True], {"0": [1, 3]}])
def test_units_in_all_their_forms(units: Any, net: nn.Module) -> None:
    where = gw.where("0.*", units=units)
    selected = where.select(backend_of(net).network(net))
    assert [s.units for s in selected] == [(1, 3), (1, 3)]


def test_units_by_layer_leave_other_layers_out(net: nn.Module) -> None:
    assert chosen(net, gw.where(units={"0": [1], "3": [0]})) == ["0.weight", "0.bias", "3.weight", "3.bias"]


def test_units_change_and_nothing_else_along_every_axis() -> None:
    for model, axis in ((nn.Linear(5, 6), 0), (nn.ConvTranspose2d(5, 6, 2), 1), (nn.Embedding(6, 5), 0)):
        mutant = gw.mutate(model, gw.GaussianNoise(std=1.0, where=gw.where(units=[0, 4])), seed=1)
        whole = gw.mutate(model, gw.GaussianNoise(std=1.0), seed=1)
        old, new, all_changed = (m.weight.detach().moveaxis(axis, 0) for m in (model, mutant, whole))
        assert (new[[0, 4]] == all_changed[[0, 4]]).all()
        assert (new[[1, 2, 3, 5]] == old[[1, 2, 3, 5]]).all()


_WORDS = st.text("abc.*!?[]", min_size=1).filter(lambda w: w != "!")


@given(
    patterns=st.lists(_WORDS, max_size=3),
    roles=st.lists(st.sampled_from(ROLES), max_size=2).map(tuple),
    layers=st.lists(_WORDS, max_size=2).map(tuple),
    units=st.none() | st.lists(st.integers(0, 99), max_size=4) | st.lists(st.booleans(), min_size=1, max_size=4),
    frozen=st.booleans(),
)
def test_json_holds_a_choice_exactly(
    patterns: list[str], roles: tuple[str, ...], layers: tuple[str, ...], units: Any, frozen: bool
) -> None:
    where = gw.where(*patterns, roles=roles, layers=layers, units=units, frozen=frozen)
    assert gw.Where.from_json(json.loads(json.dumps(where.to_json()))) == where


def test_the_shortest_json_is_a_list_of_patterns() -> None:
    assert gw.where("a.*", "!a.b").to_json() == ["a.*", "!a.b"]
    assert gw.where().to_json() == []


def test_an_unknown_entry_in_json_is_refused() -> None:
    with pytest.raises(gw.RecipeError, match="unknown entries: pattern"):
        gw.Where.from_json({"pattern": ["a"]})
