"""Inputs and outputs of Keras models that grow and shrink, as those of torch modules do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import genewright as gw
from genewright.backends import backend_of

from .test_architecture import randomized

X = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)


def _functional(keras: Any, activation: str | None = None) -> Any:
    inputs = keras.Input((8, 8, 3))
    h = keras.layers.BatchNormalization(name="norm")(keras.layers.Conv2D(4, 3, name="conv")(inputs))
    h = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(h))
    return randomized(keras.Model(inputs, keras.layers.Dense(5, activation=activation, name="head")(h)))


def _sequential(keras: Any, activation: str | None = None) -> Any:
    pool = keras.layers.GlobalAveragePooling2D()
    head = keras.layers.Dense(5, activation=activation, name="head")
    return randomized(
        keras.Sequential(
            [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="conv"), keras.layers.ReLU(), pool, head]
        )
    )


def _outputs(model: Any, batch: Any = X) -> Any:
    return backend_of(model).exact_outputs(model, batch).tensors[0]


@pytest.mark.parametrize("make", [_functional, _sequential])
def test_ends_grow_and_shrink(keras: Any, make: Any, tmp_path: Path) -> None:
    model = make(keras)
    grown = gw.mutate(model, gw.GrowOutputs("head", num_units=2, init={"copy": [1, 0]}), seed=1, example=X)
    assert np.allclose(_outputs(grown), _outputs(model)[:, [0, 1, 2, 3, 4, 1, 0]], rtol=1e-12)
    wide = gw.mutate(model, gw.GrowInputs(num_units=2, placement="start"), seed=1, example=X)
    new = np.random.default_rng(1).normal(size=(2, 8, 8, 2)).astype(np.float32)
    assert np.allclose(_outputs(wide, np.concatenate([new, X], -1)), _outputs(model), rtol=1e-12)
    grey = gw.mutate(model, gw.ShrinkInputs(units=(1, 2), weights="sum"), seed=1, example=X)
    assert np.allclose(_outputs(grey, X[..., :1]), _outputs(model, X[..., :1].repeat(3, -1)), rtol=1e-6)
    fewer = gw.mutate(
        wide, [gw.ShrinkOutputs(units=(0,)), gw.GaussianNoise()], seed=1, example=np.concatenate([new, X], -1)
    )
    again = gw.replay(gw.Recipe.from_json(gw.recipe(fewer).to_json()), model)
    assert gw.fingerprint(again) == gw.fingerprint(fewer)
    gw.save(fewer, tmp_path / "fewer.keras")
    assert gw.load(tmp_path / "fewer.keras").input_shape == (None, 8, 8, 5)


def test_the_ratios_of_probabilities_stay(keras: Any) -> None:
    model = _functional(keras, "softmax")
    grown = gw.mutate(model, gw.GrowOutputs(num_units=2, init="noise"), seed=1, example=X)
    old = _outputs(grown)[:, :5]
    assert np.allclose(old / old.sum(1, keepdims=True), _outputs(model), rtol=1e-9)
    assert old.sum() < 2


@pytest.mark.parametrize("axes", [-1, (2, 3)])
def test_adapted_statistics_of_the_inputs_follow(keras: Any, axes: Any, tmp_path: Path) -> None:
    norm = keras.layers.Normalization(axis=axes)
    norm.adapt(3 + 2 * X)
    inputs = keras.Input((8, 8, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, name="conv")(norm(inputs)))
    model = keras.Model(inputs, keras.layers.Dense(2)(pooled))
    wide = gw.mutate(model, gw.GrowInputs(num_units=2), seed=1, example=X)
    more = np.concatenate([X, np.random.default_rng(1).normal(size=(2, 8, 8, 2)).astype(np.float32)], -1)
    assert np.allclose(_outputs(wide, more), _outputs(model), rtol=1e-12)
    statistics = [np.asarray(keras.ops.convert_to_numpy(w)) for w in wide.layers[1].weights[:2]]
    assert statistics[0].shape[-1] == 5
    assert np.array_equal(statistics[0][..., 3:], statistics[0][..., :2])  # those of the old ones in turn
    gw.save(wide, tmp_path / "wide.keras")
    assert np.allclose(_outputs(gw.load(tmp_path / "wide.keras"), more), _outputs(model), rtol=1e-12)
    back = gw.mutate(wide, gw.ShrinkInputs(units=(3, 4)), seed=1, example=more)
    assert gw.fingerprint(back) == gw.fingerprint(model)
    assert np.allclose(_outputs(back), _outputs(model), rtol=1e-12)


def test_statistics_that_the_config_lists_follow(keras: Any, tmp_path: Path) -> None:
    inputs = keras.Input((8, 8, 3))
    norm = keras.layers.Normalization(mean=[1.0, 2, 3], variance=[1.0, 4, 9], name="norm")(inputs)
    scaled = keras.layers.Rescaling([2.0, 3, 4], offset=0.5, name="scaled")(norm)
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, name="conv")(scaled))
    model = randomized(keras.Model(inputs, keras.layers.Dense(2)(pooled)))
    wide = gw.mutate(model, gw.GrowInputs(num_units=2, placement="start"), seed=1, example=X)
    more = np.concatenate([np.random.default_rng(1).normal(size=(2, 8, 8, 2)).astype(np.float32), X], -1)
    assert np.allclose(_outputs(wide, more), _outputs(model), rtol=1e-12)
    config = wide.get_layer("norm").get_config()
    assert list(config["mean"]) == [1, 2, 1, 2, 3]  # those of the old ones in turn
    assert list(config["variance"]) == [1, 4, 1, 4, 9]
    assert list(wide.get_layer("scaled").get_config()["scale"]) == [2, 3, 2, 3, 4]
    gw.save(wide, tmp_path / "wide.keras")
    assert np.allclose(_outputs(gw.load(tmp_path / "wide.keras"), more), _outputs(model), rtol=1e-12)
    assert gw.fingerprint(gw.replay(gw.recipe(wide), model)) == gw.fingerprint(wide)
    fewer = gw.mutate(wide, gw.ShrinkInputs(units=(0, 3)), seed=1, example=more)
    assert list(fewer.get_layer("norm").get_config()["variance"]) == [4, 1, 9]


def test_a_number_for_all_inputs_stays(keras: Any) -> None:
    inputs = keras.Input((4,))
    one = keras.layers.Normalization(mean=1.0, variance=4.0)(inputs)
    x = np.ones((2, 4), np.float32)
    wide = gw.mutate(keras.Model(inputs, keras.layers.Dense(2)(one)), gw.GrowInputs(), seed=1, example=x)
    assert wide.input_shape == (None, 5)


def test_the_undo_brings_inputs_and_weights_back(keras: Any) -> None:
    model = _sequential(keras)
    before, outputs = gw.fingerprint(model), _outputs(model)
    with gw.mutated(model, [gw.GrowInputs(), gw.ShrinkOutputs()], seed=1, example=X) as changed:
        assert (changed.input_shape[-1], changed.output_shape[-1]) == (4, 4)
    assert gw.fingerprint(model) == before
    assert np.array_equal(_outputs(model), outputs)


def test_a_last_layer_of_another_size_takes_the_place_of_one(keras: Any) -> None:
    model = _functional(keras)
    new = {"class_name": "Dense", "config": {"units": 7}}
    made = gw.mutate(model, gw.ReplaceLayer("head", new), seed=1, example=X)
    kernel = np.asarray(keras.ops.convert_to_numpy(made.get_layer("head").kernel))
    assert kernel.shape == (4, 7)
    assert kernel.std() > 0.1
    wider = {"class_name": "Conv2D", "config": {"filters": 6, "kernel_size": 3}}
    with pytest.raises(gw.UnsupportedError, match=r"gw\.Widen"):
        gw.mutate(model, gw.ReplaceLayer("conv", wider), seed=1, example=X)


def test_a_vocabulary_grows_with_its_head(keras: Any) -> None:
    words = keras.Input((5,), dtype="int32")
    h = keras.layers.Dense(8, activation="tanh")(keras.layers.Embedding(9, 4, name="words")(words))
    model = randomized(keras.Model(words, keras.layers.Dense(9, name="scores")(h)))
    x = np.arange(5).reshape(1, 5)
    mutant = gw.mutate(model, gw.ResizeVocabulary(11), seed=1, example=x)
    assert (mutant.get_layer("words").input_dim, mutant.output_shape[-1]) == (11, 11)
    assert np.allclose(_outputs(mutant, x)[..., :9], _outputs(model, x), rtol=1e-12)
    assert np.allclose(_outputs(mutant, x)[..., 9:], _outputs(model, x).mean(-1, keepdims=True), rtol=1e-5)


def test_zeros_stay_while_the_model_is_fitted(keras: Any) -> None:
    model = _functional(keras)
    model.compile("adam", "mse")
    y = np.ones((2, 5), np.float32)
    model.fit(X, y, verbose=0)
    gw.mutate(model, gw.MaskSmallest(0.5), seed=1, inplace=True)
    kernel = model.get_layer("head").kernel
    masked = np.asarray(keras.ops.convert_to_numpy(kernel)) == 0
    release = gw.keep_zeros(model)
    model.fit(X, y, epochs=2, verbose=0)
    assert np.array_equal(np.asarray(keras.ops.convert_to_numpy(kernel)) == 0, masked)
    release()
    model.fit(X, y, verbose=0)
    assert not (np.asarray(keras.ops.convert_to_numpy(kernel)) == 0).any()


def test_a_layer_is_copied_as_it_is(keras: Any) -> None:
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Dense(4, activation="tanh", name="twice")(inputs)))
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    mutant = gw.mutate(model, gw.CopyLayer("twice"), seed=1, example=x)
    kernels = [w for w in mutant.weights if tuple(w.shape) == (4, 4)]
    assert len(kernels) == 2
    assert np.array_equal(*(keras.ops.convert_to_numpy(kernel) for kernel in kernels))


def _with_positions(keras: Any) -> tuple[Any, Any]:
    class Places(keras.layers.Layer):
        """As the Keras guides write it: it says its length in its config, and no rule of ours knows it."""

        def __init__(self, maxlen: int, width: int, **settings: Any) -> None:
            super().__init__(**settings)
            self.maxlen, self.width = maxlen, width
            self.table = keras.layers.Embedding(maxlen, width)

        def call(self, x: Any) -> Any:
            return x + self.table(keras.ops.arange(keras.ops.shape(x)[1]))

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "maxlen": self.maxlen, "width": self.width}

    words = keras.Input((None,), dtype="int32")
    h = Places(7, 4, name="places")(keras.layers.Embedding(9, 4, name="words")(words))
    return randomized(keras.Model(words, keras.layers.Dense(3)(h))), Places


def test_positions_grow_and_shrink(keras: Any) -> None:
    model, _ = _with_positions(keras)
    x = np.arange(10).reshape(2, 5) % 9
    old = np.asarray(keras.ops.convert_to_numpy(model.get_layer("places").table.embeddings))
    longer = gw.mutate(model, gw.ResizePositions(12, how="extend"), seed=1, example=x)
    assert longer.get_layer("places").get_config()["maxlen"] == 12
    assert np.allclose(_outputs(longer, x), _outputs(model, x), rtol=1e-12)
    assert _outputs(longer, np.zeros((1, 12), np.int32)).shape == (1, 12, 3)
    smooth = gw.mutate(model, gw.ResizePositions(14), seed=1, example=x)
    new = np.asarray(keras.ops.convert_to_numpy(smooth.get_layer("places").table.embeddings))
    assert np.allclose(new[1::2][:-1], 0.75 * old[:-1] + 0.25 * old[1:], atol=1e-6)  # a quarter behind each old one
    assert gw.fingerprint(gw.replay(gw.Recipe.from_json(gw.recipe(smooth).to_json()), model)) == gw.fingerprint(smooth)


def test_an_embedding_that_is_told_positions_is_named(keras: Any) -> None:
    words, places = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    h = keras.layers.Embedding(9, 4, name="words")(words) + keras.layers.Embedding(7, 4, name="places")(places)
    model = randomized(keras.Model([words, places], keras.layers.Dense(3)(h)))
    x = np.arange(10).reshape(2, 5) % 9
    with pytest.raises(gw.UnsupportedError, match=r"layer=\.\.\.: 'words', 'places'"):
        gw.mutate(model, gw.ResizePositions(12), seed=1, example=[x, x % 5])
    longer = gw.mutate(model, gw.ResizePositions(12, how="extend", layer="places"), seed=1, example=[x, x % 5])
    assert longer.get_layer("places").input_dim == 12
    assert np.allclose(_outputs(longer, [x, x % 5]), _outputs(model, [x, x % 5]), rtol=1e-12)
