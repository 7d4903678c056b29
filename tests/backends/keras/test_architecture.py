"""The architecture of Functional and Sequential models: changed, kept where claimed, saved without us, trained on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import genewright as gw
from genewright.backends import backend_of
from tests.crosses import crossed, thinned

from .conftest import Make
from .test_weights import values

KEPT = [
    gw.Widen(layer="first", factor=1.5),
    gw.Widen(layer="first", num_units=2, init="silent"),
    gw.Widen(layer="inner.hidden", num_units=3),
    gw.Widen(layer="twice", num_units=1),
    gw.Widen(),
    gw.InsertLayer(after="relu"),
    gw.InsertLayer(after="inner.hidden", init="gate"),
    gw.InsertLayer(after="inner.hidden", layer={"class_name": "Dense", "config": {"units": 20, "activation": "relu"}}),
    gw.InsertLayer(),
    gw.AddSkip(start="second", end="second"),
    gw.AddSkip(start="first", end="second"),
    gw.AddSkip(),
    gw.GrowKernel(layer="first"),
    gw.GrowKernel(layer="deep", by=4),
    gw.DuplicateBlock(block="second"),
]
CHANGED = [
    gw.Widen(layer="first", num_units=2, init="noise"),
    gw.Narrow(layer="first", num_units=2),
    gw.Narrow(),
    gw.RemoveLayer(layer="relu"),
    gw.RemoveLayer(layer="second"),
    gw.ReplaceActivation(to="gelu"),
    gw.ReplaceActivation(where="relu", to="tanh"),
    gw.ReplaceLayer(layer="relu", new={"class_name": "Activation", "config": {"activation": "silu"}}),
    gw.InsertLayer(after="inner.hidden", layer={"class_name": "Dense", "config": {"units": 3}}, init="noise"),
]


@pytest.fixture
def make(keras: Any) -> Make:
    def made() -> Any:
        layers = keras.layers
        image = keras.Input((8, 8, 3), name="image")
        extra = keras.Input((5,), name="extra")
        x = layers.Conv2D(6, 3, padding="same", name="first")(image)
        x = layers.BatchNormalization(name="norm")(x)
        x = layers.ReLU(name="relu")(x)
        y = layers.Conv2D(6, 3, padding="same", name="second")(x)
        x = layers.Add(name="sum")([x, y])
        z = layers.DepthwiseConv2D(3, padding="same", name="deep")(x)
        x = layers.Concatenate(name="join")([x, z])
        x = layers.Flatten(name="flat")(layers.AveragePooling2D(2, name="pool")(x))
        twice = layers.Dense(5, activation="relu", name="twice")
        inner = keras.Sequential(
            [
                keras.Input((10,)),
                layers.Dense(7, activation="relu", name="hidden"),
                layers.Dense(4, name="out"),
            ],
            name="inner",
        )
        squeezed = layers.Dense(5, activation="relu", name="squeeze")(x)
        both = layers.Concatenate(name="pair")([twice(squeezed), twice(extra)])
        return keras.Model(
            [image, extra], {"main": inner(both), "side": layers.Dense(2, name="side")(both)}, name="net"
        )

    return made


@pytest.fixture
def batch() -> list[Any]:
    numbers = np.random.default_rng(0)
    return [numbers.normal(size=(3, 8, 8, 3)).astype(np.float32), numbers.normal(size=(3, 5)).astype(np.float32)]


def randomized(model: Any) -> Any:
    """Give norms and biases values, so that nothing is the identity by chance."""
    numbers = np.random.default_rng(1)
    for name, member in backend_of(model).network(model).members.items():  # type: ignore[attr-defined]
        if name.endswith(("gamma", "moving_variance")):
            member.variable.assign(numbers.uniform(0.5, 1.5, member.variable.shape))
        elif name.endswith(("beta", "moving_mean", "bias")):
            member.variable.assign(0.3 * numbers.normal(size=member.variable.shape))
    return model


def change(model: Any, mutant: Any, batch: list[Any]) -> float:
    backend = backend_of(model)
    pairs = zip(backend.predict(model, batch), backend.predict(mutant, batch), strict=True)
    return max(float(np.abs(a - b).max() / np.abs(a).max()) for a, b in pairs)


@pytest.mark.parametrize("operator", thinned(KEPT, one_in=2), ids=str)
def test_the_outputs_stay_where_an_operator_claims_it(make: Make, batch: list[Any], operator: gw.Operator) -> None:
    model = randomized(make())
    before = gw.fingerprint(model)
    mutant = gw.mutate(model, operator, seed=3, example=batch)
    assert gw.fingerprint(model) == before
    assert mutant.count_params() > model.count_params()
    assert change(model, mutant, batch) < 2e-5
    assert type(mutant) is type(model)
    assert {layer.name for layer in model.layers} <= {layer.name for layer in mutant.layers}


@pytest.mark.parametrize("operator", thinned(CHANGED, one_in=2), ids=str)
def test_the_outputs_change_where_it_does_not(make: Make, batch: list[Any], operator: gw.Operator) -> None:
    model = randomized(make())
    mutant = gw.mutate(model, operator, seed=3, example=batch)
    assert change(model, mutant, batch) > 1e-3


@pytest.mark.parametrize(
    "operator",
    thinned([KEPT[0], KEPT[2], KEPT[6], KEPT[7], KEPT[9], KEPT[12], CHANGED[1], CHANGED[6]], one_in=2),
    ids=str,
)
def test_a_mutant_is_saved_loaded_replayed_and_undone(
    keras: Any, make: Make, batch: list[Any], operator: gw.Operator, tmp_path: Path
) -> None:
    model = randomized(make())
    before, layers = gw.fingerprint(model), [layer.name for layer in model.layers]
    outputs = backend_of(model).predict(model, batch)
    mutant = gw.mutate(model, operator, seed=3, example=batch)
    mutant.save(tmp_path / "plain.keras")
    plain = keras.saving.load_model(tmp_path / "plain.keras")  # without us
    assert gw.fingerprint(plain) == gw.fingerprint(mutant)
    assert change(mutant, plain, batch) < 1e-6
    gw.save(mutant, tmp_path / "mutant.safetensors")
    again = gw.load(make, tmp_path / "mutant.safetensors")
    assert gw.fingerprint(again) == gw.fingerprint(mutant)
    replayed = gw.replay(gw.Recipe.from_json(gw.recipe(mutant).to_json()), model, example=batch)
    assert gw.fingerprint(replayed) == gw.fingerprint(mutant)
    with gw.mutated(model, operator, seed=3, example=batch) as meanwhile:
        assert meanwhile is model
        assert gw.fingerprint(model) == gw.fingerprint(mutant)
    assert gw.fingerprint(model) == before
    assert [layer.name for layer in model.layers] == layers
    for one, other in zip(backend_of(model).predict(model, batch), outputs, strict=True):
        assert np.array_equal(one, other)


def test_it_compiles_and_fits_with_the_optimizer_carried_along(keras: Any, make: Make, batch: list[Any]) -> None:
    model = make()
    model.compile(keras.optimizers.Adam(0.001), loss={"main": "mse", "side": "mse"})
    targets = {"main": np.zeros((3, 4), np.float32), "side": np.zeros((3, 2), np.float32)}
    model.fit(batch, targets, epochs=2, verbose=0)
    mutant = gw.mutate(model, gw.Widen(layer="first", num_units=2, init="silent"), seed=1, example=batch)

    def state(of: Any, name: str) -> Any:
        found = [v for v in of.optimizer.variables if str(v.path).endswith(name)]
        assert len(found) == 1, [v.path for v in of.optimizer.variables]
        return np.asarray(keras.ops.convert_to_numpy(found[0]))

    old, new = state(model, "first_kernel_velocity"), state(mutant, "first_kernel_velocity")
    assert new.shape == (3, 3, 3, 8)
    assert np.array_equal(new[..., :6], old)
    assert np.allclose(new[..., 6], old.mean(-1))
    assert np.array_equal(state(model, "side_kernel_velocity"), state(mutant, "side_kernel_velocity"))
    mutant.fit(batch, targets, verbose=0)
    assert int(state(mutant, "iteration")) == 3


def test_widen_then_narrow_gives_the_first_bytes_back(make: Make, batch: list[Any]) -> None:
    model = make()
    wide = gw.mutate(model, gw.Widen(layer="first", num_units=2), seed=1, example=batch)
    assert wide.get_layer("first").filters == wide.get_layer("second").filters == 8
    back = gw.mutate(wide, gw.Narrow(layer="first", units=(6, 7)), seed=1, example=batch)
    assert gw.fingerprint(back) == gw.fingerprint(model)


def test_a_layer_that_joins_tensors_is_not_left_out_by_chance(make: Make, batch: list[Any]) -> None:
    blocks = {name for group in backend_of(make()).network(make(), batch).structure.blocks() for name in group}
    assert {"relu", "second", "norm"} <= blocks
    assert not blocks & {"sum", "join", "pair"}
    with pytest.raises(gw.UnsupportedError, match=r"'sum' of class Add receives several tensors"):
        gw.mutate(make(), gw.RemoveLayer(layer="sum"), seed=1, example=batch)


BESIDE = {
    "inserted": gw.InsertLayer(after="first"),
    "inserted behind a model": gw.InsertLayer(after="inner", layer={"class_name": "Dense", "config": {"units": 4}}),
    "gated": gw.InsertLayer(after="first", init="gate"),
    "skip": gw.AddSkip(start="second", end="second"),
    "branch": gw.AddBranch(layer="second"),
    "duplicate": gw.DuplicateBlock(block="second"),
    "replaced": gw.ReplaceLayer(layer="relu", new="ELU"),
    "blended": gw.ReplaceActivation(where="squeeze", to="gelu", blend=0.0),
}


@pytest.mark.parametrize(("name", "policy"), list(crossed(BESIDE, ("float64", "mixed_bfloat16"), one_in=2)))
def test_new_layers_compute_as_their_neighbours_do(
    keras: Any, make: Make, batch: list[Any], name: str, policy: str
) -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = make()
    finally:
        keras.config.set_dtype_policy(before)
    mutant = gw.mutate(model, BESIDE[name], seed=1, example=batch)

    def policies(one: Any) -> set[str]:
        return {layer.dtype_policy.name for layer in one._flatten_layers()}

    assert policies(mutant) == policies(model) == {policy}
    spoken = {"class_name": "Dense", "config": {"units": 4, "dtype": "float32"}}
    chosen = gw.mutate(model, gw.InsertLayer(after="inner", layer=spoken, init="noise"), seed=1, example=batch)
    assert policies(chosen) == {policy, "float32"}


def test_shared_layers_stay_shared(make: Make, batch: list[Any]) -> None:
    mutant = gw.mutate(make(), gw.Widen(layer="twice", num_units=1), seed=1, example=batch)
    shared = [layer for layer in mutant.layers if layer.name == "twice"]
    assert len(shared) == 1
    assert shared[0].units == 6
    assert mutant.get_layer("inner").get_layer("hidden").kernel.shape[0] == 12


def test_the_named_layer_is_wired_between_its_neighbours(keras: Any) -> None:
    model = keras.Sequential(
        [keras.Input((4,))] + [keras.layers.Dense(8, activation="relu", name=f"dense_layer_{i}") for i in (1, 2, 3)]
    )
    batch = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    layer = {"class_name": "Dense", "config": {"units": 64, "activation": "relu"}}
    mutant = gw.mutate(model, gw.InsertLayer(after="dense_layer_2", layer=layer), seed=1, example=batch)
    assert type(mutant) is keras.Sequential
    assert [layer.name for layer in mutant.layers] == [
        "dense_layer_1", "dense_layer_2", "dense_layer_2_dense", "dense_layer_3",
    ]  # fmt: skip
    assert mutant.layers[2].kernel.shape == (8, 64)
    assert mutant.layers[3].kernel.shape == (64, 8)
    assert np.abs(mutant(batch) - model(batch)).max() < 1e-6
    drawn = gw.mutate(model, gw.InsertLayer(after="dense_layer_2", layer=layer, init="noise"), seed=1, example=batch)
    assert values(drawn)["dense_layer_2_dense.kernel"].std() == pytest.approx(np.sqrt(2 / 72), rel=0.2)


def test_a_layer_behind_a_shared_one_is_shared(make: Make, batch: list[Any]) -> None:
    model = randomized(make())
    mutant = gw.mutate(model, gw.InsertLayer(after="twice"), seed=1, example=batch)
    assert sum(layer.name == "twice_dense" for layer in mutant.layers) == 1
    assert len(mutant.get_layer("twice_dense")._inbound_nodes) == 2
    with pytest.raises(gw.UnsupportedError, match="called 2 times"):
        gw.mutate(model, gw.InsertLayer(after="twice", init="gate"), seed=1, example=batch)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_recurrent_layers_widen(keras: Any, kind: str) -> None:
    layers = [
        keras.Input((6, 4)),
        getattr(keras.layers, kind)(5, return_sequences=True, name="first"),
        getattr(keras.layers, kind)(3, name="second"),
        keras.layers.Dense(2, name="out"),
    ]
    model, batch = keras.Sequential(layers), np.random.default_rng(0).normal(size=(2, 6, 4)).astype(np.float32)
    for operator in (gw.Widen(layer="first", num_units=2), gw.Widen(layer="second", num_units=2, init="silent")):
        mutant = gw.mutate(model, operator, seed=1, example=batch)
        assert change(model, mutant, [batch][0]) < 2e-5
        assert mutant.count_params() > model.count_params()


def test_attention_and_norms(reader: Make, words: Any) -> None:
    model = reader()
    knobs = gw.knobs(model, words)
    wide = gw.mutate(model, gw.Widen(layer="attend[1]", num_units=1), seed=1, example=words)
    assert wide.get_layer("attend")._value_dim == 4, str(knobs)
    assert change(model, wide, words) < 2e-5
    with pytest.raises(gw.UnsupportedError, match="layer norm"):
        gw.mutate(model, gw.Widen(layer="embed", num_units=1), seed=1, example=words)


def test_knobs_need_no_run(make: Make) -> None:
    knobs = gw.knobs(make(), None)
    assert re.search(r"first +6 units +free", str(knobs))
    assert "norm.moving_variance" in str(knobs.details())


@pytest.mark.parametrize(
    ("operator", "error", "match"),
    [
        (gw.Widen(layer="side"), gw.UnsupportedError, "output"),
        (gw.Widen(layer="frist"), gw.UnknownNameError, "Did you mean 'first'"),
        (
            gw.InsertLayer(after="relu", layer={"class_name": "Dence", "config": {}}),
            gw.SettingError,
            "Did you mean 'Dense'",
        ),
        (gw.InsertLayer(after="relu", layer={"class_name": "Lambda", "config": {}}), gw.SettingError, "Python code"),
        (gw.InsertLayer(after="nowhere"), gw.UnknownNameError, "nowhere"),
        (gw.RemoveLayer(layer="first"), gw.UnsupportedError, r"incompatible|shape"),
        (gw.RemoveLayer(layer="squeeze"), gw.UnsupportedError, r"\(96, 5\)|shape"),
        (gw.AddSkip(start="second", end="first"), gw.UnsupportedError, "before"),
        (gw.AddSkip(start="image", end="first"), gw.GenewrightError, "image"),
        (gw.GrowKernel(layer="side"), gw.UnsupportedError, "not a convolution"),
        (gw.ReplaceActivation(to="gellu"), gw.SettingError, "Did you mean 'gelu'"),
        (gw.ReplaceActivation(where="nothing"), gw.SelectionError, "nothing"),
        (gw.ReplaceActivation(where="twice", to="gelu", blend=0.0), gw.UnsupportedError, "called 2 times"),
    ],
    ids=str,
)
def test_refusals_change_nothing(
    make: Make, batch: list[Any], operator: gw.Operator, error: type[Exception], match: str
) -> None:
    model = make()
    before, layers = gw.fingerprint(model), [layer.name for layer in model.layers]
    with pytest.raises(error, match=match):
        gw.mutate(model, operator, seed=1, example=batch, inplace=True)
    assert gw.fingerprint(model) == before
    assert [layer.name for layer in model.layers] == layers


def test_a_layer_without_a_rule_pins_and_says_how_to_add_one(keras: Any) -> None:
    class Odd(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return x[:, ::-1]

    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(6, name="a"), Odd(name="odd"), keras.layers.Dense(2)]
    )
    with pytest.raises(gw.UnsupportedError, match=r"no rule says what a Odd does.*Conv2D.*reading\.rule"):
        gw.mutate(model, gw.Widen(layer="a", num_units=1), seed=1, example=np.ones((1, 4), np.float32))


def test_new_wiring_in_subclassed_models_is_refused_by_name(keras: Any) -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.only = keras.layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.only(x)

    model = Own()
    model(np.ones((1, 3), np.float32))
    for operator in (gw.InsertLayer(after="only"), gw.RemoveLayer(layer="only")):
        with pytest.raises(gw.UnsupportedError, match="of class Own"):
            gw.mutate(model, operator, seed=1, example=np.ones((1, 3), np.float32), inplace=True)


def test_a_functional_part_of_a_subclassed_model_changes_in_place(keras: Any) -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            layers = [keras.Input((3,)), keras.layers.Dense(4, activation="relu", name="hidden"), keras.layers.Dense(3)]
            self.body = keras.Sequential(layers)
            self.last = keras.layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.last(self.body(x))

    model, batch = Own(), np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    before = np.asarray(model(batch))
    gw.mutate(model.body, gw.Widen(layer="hidden", num_units=2), seed=1, example=batch, inplace=True)
    assert model.body.get_layer("hidden").units == 6
    assert "body.hidden.kernel" in backend_of(model).network(model).tensors
    assert np.abs(np.asarray(model(batch)) - before).max() < 1e-5


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "bfloat16"])
def test_architecture_under_a_mixed_policy(keras: Any, policy: str) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(8, activation="relu", dtype=policy, name="a"),
            layers.Dense(8, activation="relu", dtype=policy, name="b"),
            layers.Dense(2, dtype=policy, name="c"),
        ]
    )
    batch = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    for operator in (
        gw.Widen(layer="a", num_units=2),
        gw.InsertLayer(after="b"),
        gw.AddSkip(start="b", end="b"),
        gw.ReplaceActivation(to="gelu", blend=0.0),
    ):
        mutant = gw.mutate(model, operator, seed=1, example=batch)
        assert mutant.get_layer("a").dtype_policy.name == policy
        assert mutant.get_layer("a").kernel.dtype == model.get_layer("a").kernel.dtype
        assert np.abs(np.asarray(mutant(batch), np.float32) - np.asarray(model(batch), np.float32)).max() < 0.05
