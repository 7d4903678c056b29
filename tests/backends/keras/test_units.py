"""What a unit of a Keras layer is: a cell with all its gates, a head, an embedding's row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import genewright as gw
from genewright.backends import backend_of

X = np.random.default_rng(1).normal(size=(2, 6, 4)).astype("float32")


def silenced(model: Any, layer: str, units: Any) -> Any:
    return gw.mutate(model, gw.Zero(rate=1.0, where=gw.where(units={layer: units})), seed=1)


@pytest.mark.parametrize("kind", [keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN])
def test_a_silenced_cell_is_silent_in_every_gate(kind: Any) -> None:
    inputs = keras.Input((6, 4))
    model = keras.Model(inputs, kind(5, return_sequences=True, name="cells")(inputs))
    states = np.asarray(silenced(model, "cells", [2]).predict(X, verbose=0))
    assert not states[..., 2].any()
    assert (states[..., [0, 1, 3, 4]] != 0).all()
    with pytest.raises(gw.SelectionError, match="has 5 cells"):
        silenced(model, "cells", [5])


def test_masks_of_measured_cells_heads_and_rows_are_what_where_takes() -> None:
    inputs = keras.Input((6,), dtype="int32")
    rows = keras.layers.Embedding(7, 4, name="rows")(inputs)
    heads = keras.layers.MultiHeadAttention(2, 3, name="heads")(rows, rows)
    model = keras.Model(inputs, keras.layers.LSTM(5, name="cells")(heads))
    table = gw.neurons.measure(model, np.arange(6)[None])
    mask = table.filter("unit == 1").mask()
    assert {name: len(one) for name, one in mask.items()} == {"rows": 7, "heads": 2, "cells": 5}
    dead = backend_of(model).network(gw.mutate(model, gw.Zero(rate=1.0, where=gw.where(units=mask)), seed=1))
    values = {name: dead.read(name) for name in dead.tensors}
    assert not values["rows.embeddings"][1].any()
    assert values["rows.embeddings"][0].all()
    assert not values["heads.query.kernel"][:, 1].any()
    assert values["heads.query.kernel"][:, 0].all()
    assert values["heads.attention_output.kernel"].all()
    assert not values["cells.lstm_cell.kernel"][:, [1, 6, 11, 16]].any()
    assert np.count_nonzero(values["cells.lstm_cell.kernel"]) == 4 * 16


def test_cells_that_run_both_ways_or_in_a_stack_are_those_whose_states_are_returned() -> None:
    layers = keras.layers
    model = keras.Sequential([
        layers.Input((6, 4)),
        layers.Bidirectional(layers.LSTM(3, return_sequences=True, name="lstm"), name="both"),
        layers.RNN([layers.GRUCell(3), layers.SimpleRNNCell(2, name="last")], return_sequences=True, name="stack"),
    ])  # fmt: skip
    between = keras.Model(model.inputs, [layer.output for layer in model.layers])
    mask = gw.neurons.measure(model, X).filter("unit == 4 | (layer == 'stack' & unit == 1)").mask()
    assert {name.rpartition(".")[2]: one.tolist() for name, one in mask.items()} == {
        "forward_lstm": [False] * 3,
        "backward_lstm": [False, True, False],  # unit 4 of six
        "last": [False, True],
    }
    gw.mutate(model, gw.Zero(rate=1.0, where=gw.where(units=mask)), seed=1, inplace=True)
    both, stacked = (np.asarray(value) for value in between.predict(X, verbose=0))
    assert not both[..., 4].any()
    assert (both[..., [0, 1, 2, 3, 5]] != 0).all()
    assert not stacked[..., 1].any()
    assert (stacked[..., 0] != 0).all()


def test_channels_by_depth_are_units_where_there_is_one_of_each() -> None:
    inputs = keras.Input((6, 6, 4))
    images = np.random.default_rng(1).normal(size=(2, 6, 6, 4)).astype("float32")
    model = keras.Model(inputs, keras.layers.DepthwiseConv2D(3, name="conv")(inputs))
    assert (np.asarray(silenced(model, "conv", [2]).predict(images, verbose=0)) != 0).any((0, 1, 2)).tolist() == [
        True,
        True,
        False,
        True,
    ]
    two = keras.Model(inputs, keras.layers.DepthwiseConv2D(3, depth_multiplier=2, name="conv")(inputs))
    with pytest.raises(gw.SelectionError, match="makes 2 channels of each"):
        silenced(two, "conv", [2])


def _chosen(model: Any, layer: str) -> list[tuple[Any, ...]]:
    """Return where unit 1 of a layer stands in each of its tensors; nothing where that is in doubt."""
    try:
        chosen = gw.where(layer, units=[1]).select(backend_of(model).network(model))
    except gw.SelectionError:
        return []
    return sorted((s.tensor.shape, s.axis, s.units) for s in chosen)


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".weights.h5", ".safetensors"])
def test_units_in_a_file_are_those_of_its_model(suffix: str, tmp_path: Path) -> None:
    layers, image = keras.layers, keras.Input((8, 8, 4))
    y = layers.Conv2DTranspose(6, 2, name="up")(image)
    y = layers.Conv2DTranspose(6, 3, name="square")(y)
    y = layers.SpectralNormalization(layers.Conv2DTranspose(6, 2, name="inner"), name="normed")(y)
    y = layers.Conv2DTranspose(5, 3, use_bias=False, name="free")(y)
    y = layers.SeparableConv2D(4, 3, name="separable")(layers.DepthwiseConv2D(3, name="depthwise")(y))
    y = layers.Reshape((-1, 4))(y)
    y = layers.MultiHeadAttention(2, 3, name="attention")(y, y)
    y = layers.LSTM(3, name="lstm")(layers.Conv1D(4, 3, name="conv")(y))
    model = keras.Model(image, layers.Dense(3, name="dense")(y))
    gw.save(model, tmp_path / f"net{suffix}")
    file = gw.read_checkpoint(tmp_path / f"net{suffix}")
    names = [tensor.layer for tensor in backend_of(model).network(model).tensors.values() if tensor.role == "kernel"]
    assert len(names) > 10
    doubtful = ["normed.inner"] if suffix == ".weights.h5" else []  # it has no class of what another layer holds
    for name in dict.fromkeys(names):
        assert _chosen(model, name), name
        assert _chosen(file, name) == ([] if name in doubtful else _chosen(model, name)), name
