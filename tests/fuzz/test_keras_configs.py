"""Configs of Keras layers: plain data and Keras's own words are set, and layers of a fixed list are made."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import genewright as gw
from tests.fuzz.strategies import JSON

pytest.importorskip("keras")

from genewright.backends.keras.configs import check_config, with_entry
from genewright.backends.keras.kinds import ACTIVATIONS, INITIALIZERS, LAYERS
from genewright.backends.keras.library import keras
from genewright.backends.keras.specs import new_layers

CONFIG: dict[str, Any] = {
    "name": "d",
    "units": 4,
    "rate": 0.5,
    "shape": [2, 3],
    "filepath": "/home/model",
    "activation": "relu",
    "kernel_initializer": {
        "class_name": "Zeros",
        "module": "keras.initializers",
        "config": {},
        "registered_name": None,
    },
    "function": {"class_name": "__lambda__", "config": {"code": "4wEAAAA", "defaults": None, "closure": None}},
    "layer": {"class_name": "Dense", "module": "keras.layers", "config": {"units": 3}},
}
PATHS = st.lists(
    st.sampled_from([*CONFIG, "class_name", "module", "config", "code", "0", "__class__", "registered_name"]),
    min_size=1,
    max_size=4,
).map(".".join)
ATTACKS = [
    ("function.config.code", "relu2"),
    ("function.class_name", "Dense"),
    ("function", None),
    ("layer.class_name", "Lambda"),
    ("layer.module", "os"),
    ("layer", {"class_name": "Lambda", "config": {}}),
    ("kernel_initializer.registered_name", "x"),
    ("filepath", "/evil"),
    ("activation", "os.system"),
    ("activation", {"class_name": "function", "module": "os", "config": "system"}),
    ("units", "4"),
    ("units", [4]),
]


@pytest.mark.parametrize(("path", "value"), ATTACKS)
def test_an_entry_that_is_no_plain_data_is_not_set(path: str, value: Any) -> None:
    with pytest.raises(gw.GenewrightError):
        with_entry(CONFIG, path, value)


@pytest.mark.parametrize(
    ("path", "value"), [("units", 9), ("shape.1", 7), ("layer.config.units", 5), ("activation", "gelu"), ("rate", 0.25)]
)
def test_plain_entries_are_set_in_a_copy(path: str, value: Any) -> None:
    made: Any = with_entry(CONFIG, path, value)
    for part in path.split("."):
        made = made[int(part) if part.isdigit() else part]
    assert made == value
    assert CONFIG["units"] == 4
    assert CONFIG["shape"] == [2, 3]


@pytest.mark.parametrize(
    "spec",
    [
        {"class_name": "Lambda", "config": {}},
        {"class_name": "TFSMLayer", "config": {"filepath": "/evil"}},
        {"class_name": "TorchModuleWrapper", "config": {}},
        {"class_name": "Dense", "config": {"units": 2, "module": "os"}},
        {"class_name": "Dense", "config": {"units": 2, "activation": {"class_name": "__lambda__", "config": {}}}},
        {"class_name": "Dense", "config": {"units": 2, "activation": "mine>f"}},
        {"class_name": "Dense", "config": {"units": 2, "kernel_initializer": {"class_name": "system", "module": "os"}}},
        {"class_name": "Dense", "config": {"units": 2, "dtype": {"class_name": "DTypePolicy", "config": {}}}},
        {"class_name": "Dense", "module": "os", "config": {}},
        {"class_name": ["Dense"]},
        {"layer": "Sequential", "layers": 3},
        {"layer": "Gated"},
        "Wrapper",
        3,
    ],
)
def test_a_layer_that_is_not_of_the_list_is_not_made(spec: Any) -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="d")])
    with pytest.raises(gw.GenewrightError):
        new_layers(spec, None, "d", model, model.get_layer("d"))


def test_keras_has_what_the_lists_name() -> None:
    """In this version; a name that a later one lacks is refused by Keras itself."""
    assert {name for name in LAYERS if not hasattr(keras.layers, name)} <= {
        "AdaptiveAveragePooling1D", "AdaptiveAveragePooling2D", "AdaptiveAveragePooling3D",
        "AdaptiveMaxPooling1D", "AdaptiveMaxPooling2D", "AdaptiveMaxPooling3D", "GroupedQueryAttention",
    }  # fmt: skip
    assert {name for name in ACTIVATIONS if keras.activations.get(name) is None} == set()
    assert {name for name in INITIALIZERS - {"constant", "Constant"} if keras.initializers.get(name) is None} == set()


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(path=PATHS, value=JSON, config=st.dictionaries(st.sampled_from(list(CONFIG)), JSON))
def test_nothing_but_errors_of_ours(path: str, value: Any, config: Any) -> None:
    for act in (lambda: with_entry(CONFIG, path, value), lambda: check_config(config, "A new layer")):
        try:
            act()
        except gw.GenewrightError:
            continue
