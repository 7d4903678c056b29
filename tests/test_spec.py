"""New layers in neutral words: their JSON, and what each framework makes of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import genewright as gw
from genewright.backends.torch.layers import make_layer
from genewright.spec import LayerSpec, as_spec, in_words

COUNTS = st.integers(1, 9)
LEAVES = st.one_of(
    st.just(LayerSpec(kind="identity")),
    st.builds(LayerSpec, kind=st.just("linear"), inputs=COUNTS, outputs=COUNTS, bias=st.booleans()),
    st.integers(1, 3).flatmap(
        lambda axes: st.builds(
            LayerSpec,
            kind=st.just("convolution"),
            inputs=COUNTS,
            outputs=COUNTS,
            window=st.tuples(*[st.sampled_from([1, 3, 5])] * axes),
            stride=st.one_of(st.just(()), st.tuples(*[COUNTS] * axes)),
            padding=st.one_of(st.just(()), st.just("same"), st.tuples(*[st.integers(0, 2)] * axes)),
            bias=st.booleans(),
        )
    ),
    st.builds(LayerSpec, kind=st.just("zero_padding"), padding=st.tuples(st.integers(0, 3), st.integers(0, 3))),
    st.builds(LayerSpec, kind=st.just("activation"), activation=st.sampled_from(["relu", "leaky_relu", "GELU"])),
    st.builds(LayerSpec, kind=st.just("copy"), copy=st.just("0"), gate=st.sampled_from([None, 0.0, 0.5])),
)
SPECS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(LayerSpec, kind=st.just("chain"), layers=st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(LayerSpec, kind=st.just("gated"), layers=st.tuples(inner), gate=st.sampled_from([None, 0.25])),
        st.builds(LayerSpec, kind=st.just("blend"), layers=st.tuples(inner, inner), gate=st.just(0.5)),
    ),
    max_leaves=5,
)


@given(spec=SPECS)
def test_a_description_comes_back_from_json(spec: LayerSpec) -> None:
    assert as_spec("it", json.loads(json.dumps(spec.to_json()))) == spec
    assert in_words(spec)


@given(spec=SPECS)
def test_torch_makes_every_description(spec: LayerSpec) -> None:
    assert isinstance(make_layer(spec, nn.Sequential(nn.ReLU())), nn.Module)


@pytest.mark.parametrize(
    ("spec", "given", "returned"),
    [
        (LayerSpec(kind="linear", inputs=3, outputs=5, bias=False), (2, 3), (2, 5)),
        (LayerSpec(kind="convolution", inputs=3, outputs=5, window=(3,), padding="same"), (2, 3, 7), (2, 5, 7)),
        (LayerSpec(kind="convolution", inputs=3, outputs=5, window=(1, 1), stride=(2, 3)), (2, 3, 7, 7), (2, 5, 4, 3)),
        (LayerSpec(kind="zero_padding", padding=(1, 2)), (2, 3, 7, 7), (2, 3, 9, 11)),
    ],
)
def test_shapes_are_those_that_are_said(spec: LayerSpec, given: Any, returned: Any) -> None:
    assert tuple(make_layer(spec, nn.Sequential())(torch.ones(given)).shape) == returned


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"kind": "lineer"}, "Did you mean 'linear'"),
        ({"kind": "linear", "inputs": 3}, "needs outputs"),
        ({"kind": "linear", "inputs": 0, "outputs": 1}, "inputs is a positive int"),
        ({"kind": "linear", "inputs": True, "outputs": 1}, "inputs is a positive int"),
        ({"kind": "linear", "inputs": 3, "outputs": 2**40}, "outputs is a positive int"),
        ({"kind": "convolution", "inputs": 3, "outputs": 1, "window": [3] * 9}, "window is"),
        ({"kind": "copy", "copy": 3}, "copy is the name of a layer"),
        ({"kind": "copy", "copy": "0", "gate": float("nan")}, "gate is a finite number"),
        ({"kind": "gated", "layers": ["relu", "relu"]}, "holds one layer"),
        ({"kind": "blend", "layers": ["relu"], "gate": 0.0}, "holds two layers"),
        ({"kind": "chain", "layers": [3]}, "A chain: a layer is"),
        ({"kind": "identity", "__class__": "x"}, "has no '__class__'"),
    ],
)
def test_what_is_damaged_is_refused(form: Any, error: str) -> None:
    with pytest.raises(gw.SettingError, match=error):
        as_spec("it", form)


def test_a_user_may_write_neutral_words_too() -> None:
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    spec = {"kind": "chain", "layers": [{"kind": "linear", "inputs": 8, "outputs": 8}, "ReLU"]}
    mutant = gw.mutate(net, gw.InsertLayer(after="1", layer=spec, init="gate"), seed=1, example=torch.randn(3, 4))
    assert isinstance(mutant[2].layer[0], nn.Linear)
    assert gw.fingerprint(gw.replay(gw.recipe(mutant), net)) == gw.fingerprint(mutant)


@pytest.mark.parametrize("name", ["LeakyReLU", "leaky_relu", "leakyrelu"])
def test_an_activation_goes_by_the_names_of_every_framework(name: str) -> None:
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU())
    assert isinstance(gw.mutate(net, gw.ReplaceActivation(to=name), seed=1)[1], nn.LeakyReLU)


def test_the_name_of_a_layer_means_that_layer() -> None:
    net = nn.Sequential()
    net.add_module("first", nn.ReLU())
    net.add_module("ReLU", nn.ReLU())
    mutant = gw.mutate(net, gw.ReplaceActivation("ReLU", to="GELU"), seed=1)
    assert [type(layer).__name__ for layer in mutant] == ["ReLU", "GELU"]
