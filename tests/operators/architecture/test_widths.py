"""Widen and Narrow on every kind of width, with the outputs in float64 as the judge."""

from __future__ import annotations

import copy
import pickle
from typing import Any, cast

import pytest
import torch
from torch import nn

import genewright as gw
from genewright.backends import backend_of
from genewright.widths.knobs import Knobs
from tests.crosses import crossed
from tests.operators.architecture.wide_networks import NETWORKS, Literal, make

WIDTHS = [
    ("convolutions", "stem"),
    ("convolutions", "depthwise"),
    ("convolutions", "pointwise[1]"),
    ("concatenated", "a"),
    ("concatenated", "b"),
    ("concatenated", "c"),
    ("gated", "up"),
    ("attention", "fc1"),
    ("tied", "first"),
    ("looks_at_values", "a"),
    ("halves", "stem"),
    ("scales", "stem"),
    ("listed", "up[0]"),
    ("recurrent", "up"),
    ("recurrent", "cells"),
]


def _double(network: nn.Module, example: Any) -> torch.Tensor:
    given = example.double() if example.is_floating_point() else example
    with torch.no_grad():
        return copy.deepcopy(network).double()(given)


def _knobs(network: nn.Module, example: Any) -> Knobs:
    return backend_of(network).network(network, example).structure.widths.knobs()


def _tensors(network: nn.Module) -> dict[str, torch.Tensor]:
    return dict(network.named_parameters(remove_duplicate=False)) | dict(network.named_buffers())


def _change(before: torch.Tensor, after: torch.Tensor) -> float:
    return float((before - after).abs().max() / before.abs().max())


@pytest.mark.parametrize(
    ("width", "form"),
    list(crossed(map(" ".join, WIDTHS), ("split both", "silent end", "pair both", "split end"), one_in=2)),
)
def test_widening_keeps_the_outputs_and_narrowing_gives_the_first_bytes_back(width: str, form: str) -> None:
    (name, layer), (init, placement) = width.split(), form.split()
    network, example = make(name)
    before, first = _double(network, example), gw.fingerprint(network)
    knob = _knobs(network, example)[layer]
    wide = gw.mutate(
        network,
        gw.Widen(layer=layer, num_units=4, init=cast(Any, init), placement=cast(Any, placement)),
        seed=3,
        example=example,
    )
    assert _knobs(wide, example)[layer].size == knob.size + 4
    assert _change(before, _double(wide, example)) < 1e-9
    assert gw.fingerprint(network) == first
    new = (0, 1, knob.size + 2, knob.size + 3) if placement == "both" else tuple(range(knob.size, knob.size + 4))
    back = gw.mutate(wide, gw.Narrow(layer=layer, units=new), seed=1, example=example)
    assert gw.fingerprint(back) == first


@pytest.mark.parametrize(("name", "layer"), WIDTHS)
def test_noise_changes_the_outputs_and_says_so(name: str, layer: str) -> None:
    network, example = make(name)
    operator = gw.Widen(layer=layer, num_units=4, init="noise", placement="both")
    assert "function" not in operator.claims()
    wide = gw.mutate(network, operator, seed=3, example=example)
    assert _change(_double(network, example), _double(wide, example)) > 1e-6


@pytest.mark.parametrize(("name", "layer"), WIDTHS)
def test_units_can_change_places_where_the_knob_says_that_they_stand(name: str, layer: str) -> None:
    """An oracle that knows no filling: units moved in all places at once leave the function as it is."""
    network, example = make(name)
    before = _double(network, example)
    knob = _knobs(network, example)[layer]
    order = list(range(knob.size))[::-1]
    moved = copy.deepcopy(network)
    tensors = _tensors(moved)
    with torch.no_grad():
        for place in knob.places:
            index = torch.tensor(knob.moved(place, order))
            tensors[place.tensor].copy_(tensors[place.tensor].index_select(place.axis, index))
    assert not torch.equal(tensors[knob.places[0].tensor], _tensors(network)[knob.places[0].tensor])
    assert _change(before, _double(moved, example)) < 1e-12


@pytest.mark.parametrize("name", list(NETWORKS))
def test_what_is_read_of_a_unit_is_all_there_is(name: str) -> None:
    """An oracle by contagion: a unit gone wild reaches the outputs, and is cut off by zeros in its readers alone."""
    network, example = make(name)
    for knob in _knobs(network, example):
        if not knob.hidden or not knob.plain:
            continue
        sick = copy.deepcopy(network)
        tensors = _tensors(sick)
        with torch.no_grad():
            for place in knob.places:
                if "reader" not in place.roles:
                    sick_positions = [p for p, unit in enumerate(knob.units(place)) if unit == 0]
                    tensors[place.tensor].index_fill_(place.axis, torch.tensor(sick_positions), 1e3)
            assert not torch.allclose(sick(example), network(example)), knob.name
            for place in knob.places:
                if "reader" in place.roles:
                    columns = [p for p, unit in enumerate(knob.units(place)) if unit == 0]
                    tensors[place.tensor].index_fill_(place.axis, torch.tensor(columns), 0.0)
            silenced = sick(example)
            healthy = copy.deepcopy(network)
            own = _tensors(healthy)
            for place in knob.places:
                if "reader" in place.roles:
                    columns = [p for p, unit in enumerate(knob.units(place)) if unit == 0]
                    own[place.tensor].index_fill_(place.axis, torch.tensor(columns), 0.0)
            assert torch.allclose(silenced, healthy(example), atol=1e-5), knob.name


def test_the_mutant_is_the_users_own_class_and_works_as_before() -> None:
    network, example = make("convolutions")
    network.stem.bias.requires_grad_(False)
    network.train()
    wide = gw.mutate(network, gw.Widen(layer="stem", num_units=3), seed=1, example=example)
    assert type(wide) is type(network)
    assert list(dict(wide.named_parameters())) == list(dict(network.named_parameters()))
    assert wide.training
    assert not wide.stem.bias.requires_grad
    assert (wide.stem.out_channels, wide.norm.num_features, wide.depthwise.groups) == (11, 11, 11)
    wide(example).sum().backward()
    assert wide.stem.weight.grad is not None
    again = pickle.loads(pickle.dumps(wide))
    assert torch.equal(again.eval()(example), wide.eval()(example))
    exported = torch.export.export(wide, (example,)).module()
    assert torch.allclose(exported(example), wide(example), atol=1e-5)


def test_tied_tensors_stay_tied() -> None:
    network, example = make("tied")
    wide = gw.mutate(network, gw.Widen(layer="first", num_units=2), seed=1, example=example)
    assert wide.first.weight is wide.again.weight
    assert wide.again.out_features == 14


def test_the_recipe_replays_byte_for_byte() -> None:
    network, example = make("gated")
    wide = gw.mutate(
        network, [gw.Widen(), gw.Widen(init="silent"), gw.GaussianNoise(std=0.1)], seed="x", example=example
    )
    again = gw.replay(gw.Recipe.from_json(gw.recipe(wide).to_json()), network, example=example)
    assert gw.fingerprint(again) == gw.fingerprint(wide)


def test_saved_and_loaded_by_the_recipe(tmp_path: Any) -> None:
    network, example = make("gated")
    wide = gw.mutate(network, gw.Widen(num_units=3), seed=1, example=example)
    gw.save(wide, tmp_path / "wide.safetensors")
    loaded = gw.load(lambda: make("gated")[0], tmp_path / "wide.safetensors")
    assert torch.equal(loaded.eval()(example), wide.eval()(example))


def test_the_seed_chooses_a_layer_where_none_is_named() -> None:
    network, example = make("convolutions")
    chosen = {
        gw.recipe(gw.mutate(network, gw.Widen(num_units=1), seed=seed, example=example)).steps[0].operator.layer
        for seed in range(8)
    }
    assert len(chosen) > 1


def test_narrowing_by_magnitude_takes_the_quietest_units() -> None:
    network, example = make("gated")
    with torch.no_grad():
        network.down.weight[:, 4] = 0
    slim = gw.mutate(network, gw.Narrow(layer="up", num_units=1), seed=1, example=example)
    assert _change(_double(network, example), _double(slim, example)) < 1e-12


def test_least_squares_takes_over_what_is_a_combination() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 3))
    example = torch.randn(5, 4)
    plain, repaired = (
        gw.mutate(network, gw.Narrow(layer="0", units=(2, 5), repair=repair), seed=1, example=example)
        for repair in ("none", "least_squares")
    )
    before = _double(network, example)
    assert _change(before, _double(plain, example)) > 0.01
    assert _change(before, _double(repaired, example)) < 1e-5  # 5 numbers a row: six rows span all of them


def assert_refused(network: nn.Module, operator: Any, example: Any, error: type[Exception], *texts: str) -> None:
    first = gw.fingerprint(network)
    with pytest.raises(error) as caught:
        gw.mutate(network, operator, seed=1, example=example, inplace=True)
    assert all(text in str(caught.value) for text in texts), str(caught.value)
    assert gw.fingerprint(network) == first


def test_bad_input_is_refused_by_name_and_nothing_changes() -> None:
    network, example = make("convolutions")
    assert_refused(network, gw.Widen(layer="stm"), example, gw.UnknownNameError, "stm", "stem")
    assert_refused(network, gw.Widen(layer="head"), example, gw.UnsupportedError, "output")
    assert_refused(network, gw.Widen(layer="stem", factor=1.01), example, gw.SettingError, "num_units=1")
    assert_refused(network, gw.Narrow(layer="stem", num_units=8), example, gw.SettingError, "leaves none")
    assert_refused(network, gw.Narrow(layer="stem", units=(9,)), example, gw.SettingError, "0 to 7")
    assert_refused(network, gw.Widen(layer="stem"), torch.randn(2, 4, 8, 8), gw.UnsupportedError, "example")
    assert_refused(network, gw.Widen(layer="stem"), None, gw.SettingError, "example=")
    attention, tokens = make("attention")
    assert_refused(attention, gw.Widen(layer="embed"), tokens, gw.UnsupportedError, "WidenStream")


def test_a_literal_pins_a_width_and_its_line_is_named() -> None:
    network = Literal()
    example = torch.randn(2, 6)
    assert_refused(network, gw.Widen(layer="a"), example, gw.UnsupportedError, "wide_networks.py:")
    assert_refused(network, gw.Widen(layer="unused"), example, gw.UnsupportedError, "does not run on this example")
    assert "wide_networks.py:" in str(gw.knobs(network, example)["a"].pins[0])


@pytest.mark.parametrize(
    "settings",
    [
        {"factor": 1.0},
        {"factor": 2, "num_units": 1},
        {"num_units": 0},
        {"init": "copy"},
        {"placement": "start"},
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(gw.SettingError):
        gw.Widen(**settings)


@pytest.mark.parametrize(
    "settings", [{"factor": 1.5}, {"units": ()}, {"units": (1, 1)}, {"factor": 0.5, "num_units": 2}]
)
def test_settings_of_narrow_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(gw.SettingError):
        gw.Narrow(**settings)


def test_bfloat16_comes_back_byte_for_byte_too() -> None:
    network, example = make("gated")
    network = network.bfloat16()
    wide = gw.mutate(network, gw.Widen(layer="up", num_units=4), seed=2, example=example)
    back = gw.mutate(wide, gw.Narrow(layer="up", units=(10, 11, 12, 13)), seed=1, example=example)
    assert gw.fingerprint(back) == gw.fingerprint(network)
