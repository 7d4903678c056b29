"""Weights of Keras models: what is mutated, what never is, and what a mutant is."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

import genewright as gw
from genewright.backends import backend_of

from .conftest import Make


def values(model: Any) -> dict[str, np.ndarray[Any, Any]]:
    network = backend_of(model).network(model)
    return {name: np.array(network.read(name)) for name in network.tensors}


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    assert before.keys() == after.keys()
    return {name for name in before if not np.array_equal(before[name], after[name])}


def test_names_are_layer_names_and_the_order_is_parameters_first(classifier: Make, reader: Make) -> None:
    assert list(values(classifier())) == [
        "conv.kernel", "conv.bias", "norm.gamma", "norm.beta", "shared.kernel", "shared.bias",
        "inner.out.kernel", "inner.out.bias", "norm.moving_mean", "norm.moving_variance",
    ]  # fmt: skip
    assert {"attend.query.kernel", "both.forward_gru.gru_cell.recurrent_kernel", "embed.embeddings"} <= set(
        values(reader())
    )


def test_where_by_class_and_role_leaves_biases_alone(classifier: Make) -> None:
    model = classifier()
    mutant = gw.mutate(model, gw.GaussianNoise(std=0.01, where=gw.where(layers="Dense", roles="kernel")), seed=1)
    assert changed(values(model), values(mutant)) == {"shared.kernel", "inner.out.kernel"}


def test_all_trainable_weights_change_and_statistics_never_unless_named(classifier: Make, reader: Make) -> None:
    for model in (classifier(), reader()):
        trainable = {n for n, t in backend_of(model).network(model).tensors.items() if t.trainable}
        mutant = gw.mutate(model, gw.GaussianNoise(std=0.01), seed=1)
        assert changed(values(model), values(mutant)) == trainable
        assert len(trainable) == len(model.trainable_variables)
    named = gw.mutate(classifier(), gw.GaussianNoise(std=1.0, where="norm.moving_mean"), seed=1)
    assert np.any(values(named)["norm.moving_mean"] != 0)


def test_frozen_layers_stay(classifier: Make) -> None:
    model = classifier()
    model.get_layer("inner").trainable = False
    mutant = gw.mutate(model, gw.GaussianNoise(std=0.1), seed=1)
    assert not any(name.startswith("inner") for name in changed(values(model), values(mutant)))
    assert not mutant.get_layer("inner").trainable
    assert mutant.get_layer("conv").trainable


def test_roles_and_unit_axes(classifier: Make, reader: Make) -> None:
    def about(model: Any) -> dict[str, tuple[str, int | None]]:
        return {n: (t.role, t.unit_axis) for n, t in backend_of(model).network(model).tensors.items()}

    assert about(classifier())["conv.kernel"] == ("kernel", 3)
    assert about(classifier())["norm.moving_mean"] == ("statistic", 0)
    found = about(reader())
    assert found["embed.embeddings"] == ("embedding", 1)
    assert found["both.forward_gru.gru_cell.recurrent_kernel"] == ("recurrent_kernel", 1)


def test_unit_axes_of_depthwise_and_transposed_kernels(keras: Any) -> None:
    model = keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            keras.layers.DepthwiseConv2D(3, name="deep"),
            keras.layers.Conv2DTranspose(5, 2, name="up"),
            keras.layers.SeparableConv2D(4, 3, name="apart"),
        ]
    )
    axes = {
        n: (t.shape, t.unit_axis) for n, t in backend_of(model).network(model).tensors.items() if t.role == "kernel"
    }
    assert axes == {
        "deep.kernel": ((3, 3, 3, 1), 2),
        "up.kernel": ((2, 2, 5, 3), 2),
        "apart.depthwise_kernel": ((3, 3, 5, 1), 2),
        "apart.pointwise_kernel": ((1, 1, 5, 4), 3),
    }


def test_the_input_is_untouched_and_generators_too(keras: Any, classifier: Make) -> None:
    model = classifier()
    before, python, numpy = gw.fingerprint(model), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002  # it must stay
    gw.mutate(model, gw.GaussianNoise(std=0.1), seed=1)
    assert gw.fingerprint(model) == before
    assert random.getstate() == python
    assert np.array_equal(np.random.get_state()[1], numpy)  # noqa: NPY002


def test_a_mutant_computes_as_its_weights_say(classifier: Make, images: Any) -> None:
    model = classifier()
    twin = backend_of(model).copy(model)
    backend = backend_of(model)
    assert np.array_equal(backend.predict(model, images)[0], backend.predict(twin, images)[0])
    zeroed = gw.mutate(model, gw.Zero(rate=1.0), seed=1)
    assert not backend.predict(zeroed, images)[0].any()
    assert type(zeroed) is type(model)
    assert [layer.name for layer in zeroed.layers] == [layer.name for layer in model.layers]
    assert len([layer for layer in zeroed.layers if layer.name == "shared"]) == 1


def test_mutated_puts_every_byte_back(classifier: Make) -> None:
    model = classifier()
    before = gw.fingerprint(model)
    with gw.mutated(model, gw.GaussianNoise(std=1.0), seed=1) as mutant:
        assert mutant is model
        assert gw.fingerprint(model) != before
    assert gw.fingerprint(model) == before


def test_a_resident_base_is_one_mutant_after_another(classifier: Make, images: Any) -> None:
    model = classifier()
    before, noise = gw.fingerprint(model), gw.GaussianNoise(std=0.3)
    expected = [gw.fingerprint(gw.mutate(model, noise, seed=seed)) for seed in (1, 2)]
    with gw.resident(model) as base:
        for seed in (1, 2):
            assert gw.fingerprint(base.mutant(noise, seed=seed)) == expected[seed - 1]
            model(images, training=True)  # moves the statistics
    assert gw.fingerprint(model) == before


def test_replay_and_inplace(classifier: Make) -> None:
    model = classifier()
    mutant = gw.mutate(model, [gw.GaussianNoise(std=0.1), gw.SignFlip(rate=0.2)], seed=4)
    recipe = gw.Recipe.from_json(gw.recipe(mutant).to_json())
    assert gw.fingerprint(gw.replay(recipe, model)) == gw.fingerprint(mutant)
    same = gw.mutate(model, [gw.GaussianNoise(std=0.1), gw.SignFlip(rate=0.2)], seed=4, inplace=True)
    assert same is model
    assert gw.fingerprint(model) == gw.fingerprint(mutant)
    with pytest.raises(gw.FingerprintError, match="base"):
        gw.replay(recipe, model)


def test_reset_draws_as_the_layers_do(keras: Any) -> None:
    wide = keras.Sequential([keras.Input((200,)), keras.layers.Dense(300, name="d", kernel_initializer="he_normal")])
    made = values(gw.mutate(wide, gw.Reset(where="d.kernel"), seed=1))["d.kernel"]
    assert made.std() == pytest.approx(np.sqrt(2 / 200), rel=0.02)
    glorot = keras.Sequential([keras.Input((200,)), keras.layers.Dense(300, name="d")])
    made = values(gw.mutate(glorot, gw.Reset(where="d.kernel"), seed=1))["d.kernel"]
    assert np.abs(made).max() == pytest.approx(np.sqrt(6 / 500), rel=1e-3)
    lstm = keras.Sequential([keras.Input((4, 3)), keras.layers.LSTM(2, name="r")])
    with pytest.raises(gw.UnsupportedError, match="recurrent_kernel"):
        gw.mutate(lstm, gw.Reset(), seed=1)


def test_compile_settings_and_optimizer_state_are_carried(keras: Any, classifier: Make, images: Any) -> None:
    model = classifier()
    model.compile(keras.optimizers.Adam(0.003), loss="mse", metrics=["mae", keras.metrics.MeanSquaredError()])
    model.fit(images, np.zeros((6, 5)), epochs=2, verbose=0)
    mutant = gw.mutate(model, gw.GaussianNoise(std=0.1), seed=1)
    assert mutant.compiled
    assert mutant.optimizer is not model.optimizer
    assert int(np.asarray(keras.ops.convert_to_numpy(mutant.optimizer.iterations))) == 2
    for old, new in zip(model.optimizer.variables, mutant.optimizer.variables, strict=True):
        assert np.array_equal(keras.ops.convert_to_numpy(old), keras.ops.convert_to_numpy(new)), old.path
    before = gw.fingerprint(model)
    mutant.fit(images, np.zeros((6, 5)), verbose=0)
    assert gw.fingerprint(model) == before


def test_half_precision_and_mixed_policies(keras: Any) -> None:
    for policy, dtype in (("bfloat16", "bfloat16"), ("float16", "float16"), ("mixed_bfloat16", "float32")):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, name="d", dtype=policy)])
        mutant = gw.mutate(model, gw.GaussianNoise(std=0.1), seed=1)
        tensor = backend_of(mutant).network(mutant).tensor("d.kernel")
        assert tensor.dtype == dtype
        assert tensor.nbytes == 12 * (4 if dtype == "float32" else 2)
        assert mutant.get_layer("d").dtype_policy.name == policy
        assert changed(values(model), values(mutant)) == {"d.kernel", "d.bias"}


def test_subclassed_models_by_attribute_and_copied_by_their_config(keras: Any) -> None:
    class Branches(keras.Model):
        def __init__(self, units: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.units = units
            self.stem = keras.layers.Dense(units)
            self.blocks = [keras.layers.Dense(units) for _ in range(2)]

        def call(self, inputs: Any) -> Any:
            x = self.stem(inputs)
            for block in self.blocks:
                x = block(x)
            return x

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "units": self.units}

    model = Branches(3)
    with pytest.raises(gw.UnsupportedError, match="not built"):
        gw.mutate(model, gw.GaussianNoise(std=0.1), seed=1)
    model(np.zeros((1, 2), np.float32))
    assert set(values(model)) == {
        "stem.kernel", "stem.bias", "blocks.0.kernel", "blocks.0.bias", "blocks.1.kernel", "blocks.1.bias",
    }  # fmt: skip
    mutant = gw.mutate(model, gw.GaussianNoise(std=0.1), seed=1)
    assert type(mutant) is Branches
    assert changed(values(model), values(mutant)) == set(values(model))
    fixed = gw.mutate(model, gw.GaussianNoise(std=0.1), seed=1, inplace=True)
    assert gw.fingerprint(fixed) == gw.fingerprint(mutant)


def test_a_class_without_a_config_is_mutated_in_place_only(keras: Any) -> None:
    class Odd(keras.Model):
        def __init__(self, function: Any) -> None:
            super().__init__()
            self.function = function
            self.only = keras.layers.Dense(2)

        def call(self, inputs: Any) -> Any:
            return self.function(self.only(inputs))

    model = Odd(lambda x: x)
    model(np.zeros((1, 2), np.float32))
    before = gw.fingerprint(model)
    with pytest.raises(gw.UnsupportedError, match="inplace=True"):
        gw.mutate(model, gw.GaussianNoise(std=0.1), seed=1)
    assert gw.fingerprint(model) == before
    with gw.mutated(model, gw.GaussianNoise(std=0.1), seed=1):
        assert gw.fingerprint(model) != before
    assert gw.fingerprint(model) == before


def test_an_unbuilt_model_is_refused(keras: Any) -> None:
    with pytest.raises(gw.UnsupportedError, match=r"not built.*keras\.Input"):
        gw.mutate(keras.Sequential([keras.layers.Dense(2)]), gw.GaussianNoise(std=0.1), seed=1)


def test_compare_works_on_keras_models(keras: Any, classifier: Make, images: Any) -> None:
    model = classifier()
    targets = np.arange(6) % 5
    found = gw.compare(model, model, (images, targets), metrics="accuracy")
    assert found.ok(1e-12)
    mutant = gw.mutate(model, gw.GaussianNoise(std=1.0), seed=1)
    assert not gw.compare(model, mutant, (images, targets)).ok(1e-3)


def test_several_inputs_and_outputs(keras: Any) -> None:
    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
    joined = keras.layers.Concatenate(name="join")([a, b])
    model = keras.Model({"a": a, "b": b}, {"x": keras.layers.Dense(2, name="x")(joined), "y": joined})
    mutant = gw.mutate(model, gw.GaussianNoise(std=0.1), seed=1)
    batch = {"a": np.ones((2, 3), np.float32), "b": np.ones((2, 2), np.float32)}
    outputs = backend_of(mutant).predict(mutant, batch)
    assert [o.shape for o in outputs] == [(2, 2), (2, 5)]


def test_lambda_layers_of_the_users_own_are_copied(keras: Any) -> None:
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Lambda(lambda x: x * 3.0, name="thrice"), keras.layers.Dense(1)]
    )
    twin = backend_of(model).copy(model)
    batch = np.ones((1, 2), np.float32)
    assert np.array_equal(backend_of(model).predict(model, batch)[0], backend_of(model).predict(twin, batch)[0])
