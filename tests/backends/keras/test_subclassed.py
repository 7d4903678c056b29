"""The architecture of subclassed models: sizes and settings of their layers, their own class, their own code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import genewright as gw
from genewright.backends import backend_of
from tests.crosses import thinned

BATCH = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)


@pytest.fixture
def own(keras: Any) -> Any:
    layers = keras.layers

    class Inner(layers.Layer):
        def __init__(self, units: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.units = units
            self.up = layers.Dense(units, activation="relu")
            self.down = layers.Dense(6)

        def build(self, shape: Any) -> None:
            self.up.build(shape)
            self.down.build((*shape[:-1], self.units))

        def call(self, x: Any) -> Any:
            return x + self.down(self.up(x))

    class Own(keras.Model):
        def __init__(self, units: int = 6, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.units = units
            self.stem = layers.Dense(units, activation="relu")
            self.blocks = [layers.Dense(units, activation="relu"), Inner(5)]
            self.drop = layers.Dropout(0.5, seed=3)
            self.body = keras.Sequential(
                [keras.Input((6,)), layers.Dense(4, activation="relu", name="hidden"), layers.Dense(6, name="last")]
            )
            self.named = {"relu": layers.ReLU(), "head": layers.Dense(2)}

        def call(self, x: Any, training: bool = False) -> Any:
            x = self.stem(x)
            for block in self.blocks:
                x = block(x)
            x = self.body(self.drop(x, training=training))
            return self.named["head"](self.named["relu"](x))

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "units": self.units}

    return Own


@pytest.fixture
def model(own: Any) -> Any:
    made = own()
    made(BATCH)
    rng = np.random.default_rng(1)
    made.set_weights([rng.normal(size=w.shape, scale=0.4).astype(np.float32) for w in made.get_weights()])
    return made


KEPT = [
    gw.Widen(layer="stem", num_units=2),
    gw.Widen(layer="blocks.1.up", num_units=3),
    gw.Widen(layer="body.hidden", num_units=2),
    gw.Widen(factor=1.5),
]
CHANGED = [
    gw.Narrow(layer="stem", num_units=2),
    gw.Narrow(layer="blocks.1.up", num_units=3),
    gw.ReplaceActivation(to="gelu"),
    gw.ReplaceActivation(where="blocks.1.up", to="tanh"),
    gw.ReplaceLayer(layer="named.relu", new={"class_name": "Activation", "config": {"activation": "silu"}}),
]


@pytest.mark.parametrize("operator", thinned([*KEPT, *CHANGED], one_in=2), ids=str)
def test_sizes_and_settings_change_and_the_class_stays(model: Any, own: Any, tmp_path: Path, operator: Any) -> None:
    before, mark = np.asarray(model(BATCH)), gw.fingerprint(model)
    mutant = gw.mutate(model, operator, seed=1, example=BATCH)
    assert type(mutant) is own
    assert gw.fingerprint(model) == mark
    assert np.array_equal(np.asarray(model(BATCH)), before)
    after = np.asarray(mutant(BATCH))
    if operator in KEPT:
        assert np.abs(after - before).max() < 1e-5
        assert mutant.count_params() > model.count_params()
    else:
        assert np.abs(after - before).max() > 1e-4
    again = gw.replay(gw.recipe(mutant), model)
    assert gw.fingerprint(again) == gw.fingerprint(mutant)
    assert np.array_equal(np.asarray(again(BATCH)), after)
    gw.save(mutant, tmp_path / "m.safetensors")

    def factory() -> Any:
        made = own()
        made(BATCH)
        return made

    loaded = gw.load(factory, tmp_path / "m.safetensors")
    assert np.array_equal(np.asarray(loaded(BATCH)), after)
    with pytest.raises(gw.FileError, match=r"get_config of class Own.*gw\.load\(factory"):
        gw.save(mutant, tmp_path / "m.keras")
    assert not (tmp_path / "m.keras").exists()
    noisy = gw.mutate(mutant, gw.GaussianNoise(std=0.1), seed=2)  # a mutant is copied with its new sizes
    assert noisy.count_params() == mutant.count_params()


def test_in_place_it_is_the_same_object_and_trains_on(model: Any, keras: Any) -> None:
    model.compile(keras.optimizers.Adam(0.01), loss="mse")
    target = np.ones((5, 2), np.float32)
    model.fit(BATCH, target, verbose=0)
    before = model.predict(BATCH, verbose=0)
    steps, old = int(model.optimizer.iterations), model.optimizer
    mutant = gw.mutate(model, gw.Widen(layer="stem", num_units=2), seed=1, example=BATCH, inplace=True)
    assert mutant is model
    assert model.stem.units == 8
    assert model.blocks[0].kernel.shape == (8, 6)
    assert np.abs(model.predict(BATCH, verbose=0) - before).max() < 1e-5
    assert model.optimizer is not old
    assert int(model.optimizer.iterations) == steps
    kernel = np.asarray(model.stem.kernel)
    model.fit(BATCH, target, verbose=0)
    assert not np.array_equal(np.asarray(model.stem.kernel), kernel)


def test_for_a_while_it_is_other_and_then_as_it_was(model: Any) -> None:
    before, mark, stem = np.asarray(model(BATCH)), gw.fingerprint(model), model.stem
    with gw.mutated(model, gw.Narrow(layer="stem", num_units=2), seed=1, example=BATCH):
        assert model.stem.units == 4
        assert not np.array_equal(np.asarray(model(BATCH)), before)
    assert model.stem is stem
    assert gw.fingerprint(model) == mark
    assert np.array_equal(np.asarray(model(BATCH)), before)
    assert np.abs(model.predict(BATCH, verbose=0) - before).max() < 1e-5


def test_the_whole_is_compared_in_float64(model: Any) -> None:
    seen = backend_of(model).exact_outputs(model, BATCH)
    assert seen.exact
    assert np.abs(seen.tensors[0] - np.asarray(model(BATCH))).max() < 1e-5
    assert seen.tensors[0].dtype == np.float64


@pytest.mark.parametrize("policy", ["float64", "bfloat16", "mixed_float16"])
def test_a_copy_has_the_dtypes_that_were_set_when_it_was_made(keras: Any, own: Any, policy: str) -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = own()
        model(BATCH)
    finally:
        keras.config.set_dtype_policy(before)
    mutant = gw.mutate(model, gw.SignFlip(rate=0.5), seed=1)
    for one, other in zip(model._flatten_layers(), mutant._flatten_layers(), strict=True):
        assert one.dtype_policy.name == other.dtype_policy.name == policy
    assert [v.dtype for v in mutant.weights] == [v.dtype for v in model.weights]
    undone = gw.mutate(mutant, gw.SignFlip(rate=0.5), seed=1)
    assert gw.fingerprint(undone) == gw.fingerprint(model)


def test_a_copy_of_another_dtype_is_refused(keras: Any) -> None:
    class Scaled(keras.Model):
        def build(self, shape: Any) -> None:
            self.scale = self.add_weight(shape=shape[-1:], dtype=keras.config.floatx(), name="scale")

        def call(self, x: Any) -> Any:
            return x * keras.ops.cast(self.scale, x.dtype)

    keras.config.set_floatx("float64")
    try:
        model = Scaled()
        model(BATCH)
    finally:
        keras.config.set_floatx("float32")
    with pytest.raises(gw.UnsupportedError, match=r"'scale', float64 of shape \(4,\), is float32 of shape \(4,\)"):
        gw.mutate(model, gw.Zero(), seed=1)
    assert gw.mutate(model, gw.Zero(rate=1.0), seed=1, inplace=True) is model


def test_new_wiring_is_refused_by_the_class_and_nothing_changes(model: Any) -> None:
    mark = gw.fingerprint(model)
    for operator in (
        gw.InsertLayer(after="stem"),
        gw.InsertLayer(),
        gw.RemoveLayer(layer="drop"),
        gw.AddSkip(),
        gw.AddSkip(start="stem", end="stem"),
        gw.DuplicateBlock(),
        gw.InsertLayer(after="body.hidden"),
        gw.ReplaceActivation(to="gelu", blend=0.0),
    ):
        with pytest.raises(gw.UnsupportedError, match=r"of class Own[\s\S]*(Python code)"):
            gw.mutate(model, operator, seed=1, example=BATCH, inplace=True)
    assert gw.fingerprint(model) == mark


def test_kernels_grow(keras: Any) -> None:
    class Image(keras.Model):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.convolutions = [keras.layers.Conv2D(4, 3, padding="same", activation="relu") for _ in range(2)]
            self.pool = keras.layers.GlobalAveragePooling2D()

        def call(self, x: Any) -> Any:
            for convolution in self.convolutions:
                x = convolution(x)
            return self.pool(x)

    model, batch = Image(), np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    before = np.asarray(model(batch))
    mutant = gw.mutate(model, gw.GrowKernel(layer="convolutions.0"), seed=1, example=batch)
    assert mutant.convolutions[0].kernel.shape == (5, 5, 3, 4)
    assert np.abs(np.asarray(mutant(batch)) - before).max() < 1e-5


def test_a_class_without_a_config_is_refused_by_name(keras: Any) -> None:
    class Odd(keras.Model):
        def __init__(self, function: Any) -> None:
            super().__init__()
            self.function = function
            self.one, self.two = keras.layers.Dense(3), keras.layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.two(self.function(self.one(x)))

    model = Odd(lambda x: x)
    model(BATCH)
    mark = gw.fingerprint(model)
    for inplace in (True, False):
        with pytest.raises(gw.UnsupportedError, match="of class Odd cannot be made again from its config"):
            gw.mutate(model, gw.Widen(layer="one", num_units=1), seed=1, example=BATCH, inplace=inplace)
    assert gw.fingerprint(model) == mark


def test_code_that_takes_no_symbolic_tensors_is_refused_by_name(keras: Any) -> None:
    tensorflow = pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("TensorFlow's own operations")

    class Raw(keras.Model):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.one, self.two = keras.layers.Dense(3), keras.layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.two(tensorflow.nn.relu(self.one(x)))

    model = Raw()
    model(BATCH)
    with pytest.raises(gw.UnsupportedError, match=r"of class Raw[\s\S]*keras\.ops"):
        gw.mutate(model, gw.Widen(layer="one", num_units=1), seed=1, example=BATCH)


def test_what_the_code_hides_is_refused(keras: Any) -> None:
    class Tied(keras.Model):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.one, self.two = keras.layers.Dense(3), keras.layers.Dense(4)

        def call(self, x: Any) -> Any:
            return keras.ops.matmul(self.two(self.one(x)), keras.ops.transpose(self.two.kernel))

    class Unused(keras.Model):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.one, self.two, self.other = (keras.layers.Dense(n) for n in (3, 2, 2))

        def build(self, shape: Any) -> None:
            self.other.build((None, 3))
            self.one.build(shape)
            self.two.build((None, 3))

        def call(self, x: Any) -> Any:
            return self.two(self.one(x))

    for cls, reason in ((Tied, "no layer's output"), (Unused, "not reach 'other")):
        model = cls()
        model(BATCH)
        with pytest.raises(gw.UnsupportedError, match=f"of class {cls.__name__}.*{reason}"):
            gw.mutate(model, gw.Widen(layer="one", num_units=1), seed=1, example=BATCH)


def test_a_layer_of_training_alone_follows(keras: Any) -> None:
    class Twofold(keras.Model):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.one, self.two, self.noisy = (keras.layers.Dense(n) for n in (3, 2, 2))
            self.one.activation = keras.activations.relu

        def build(self, shape: Any) -> None:
            for layer in (self.two, self.noisy):
                layer.build((None, 3))
            self.one.build(shape)

        def call(self, x: Any, training: bool = False) -> Any:
            x = self.one(x)
            return self.noisy(x) if training else self.two(x)

    model = Twofold()
    model(BATCH)
    mutant = gw.mutate(model, gw.Widen(layer="one", num_units=2), seed=1, example=BATCH)
    assert backend_of(mutant).network(mutant).tensor("noisy.kernel").shape == (5, 2)
    assert np.abs(np.asarray(mutant(BATCH, training=True)) - np.asarray(model(BATCH, training=True))).max() < 1e-5
