"""Units of Keras models: seen behind fused and separate activations, on each backend; gradients where there are any."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import genewright as gw

FORWARD = [
    "active_fraction", "mean", "variance", "dormancy", "apoz", "constancy", "wanda", "incoming_norm", "outgoing_norm",
]  # fmt: skip
GRADED = ["taylor", "fisher", "sensitivity", "gradient_dormancy"]


def images(keras: Any) -> tuple[Any, Any, Any]:
    fused = keras.layers.Conv2D(5, 3, activation="relu", name="fused")
    inner = keras.Sequential([keras.Input((8, 8, 4)), fused], name="inner")
    x = given = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", name="first")(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.ReLU(name="act")(x)
    x = inner(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.ops.tanh(keras.layers.Dense(6, name="called")(x))
    model = keras.Model(given, keras.layers.Dense(3, activation="softmax", name="head")(x))
    generator = np.random.default_rng(1)
    return model, generator.normal(size=(11, 8, 8, 3)).astype("float32"), generator.integers(0, 3, 11)


def after(keras: Any, model: Any, x: Any) -> dict[str, np.ndarray]:
    def of(start: Any, end: Any, value: Any) -> np.ndarray:
        return np.asarray(keras.ops.convert_to_numpy(keras.Model(start, end)(value)), np.float64)

    layer = model.get_layer
    act = of(model.input, layer("act").output, x)
    inner = layer("inner")
    called = np.tanh(of(model.input, layer("called").output, x))
    return {
        "first": act, "norm": act, "inner.fused": of(inner.input, inner.output, act), "called": called,
        "head": of(model.input, model.output, x),
    }  # fmt: skip


def test_units_are_seen_after_their_activations_and_measured_by_the_formulas(keras: Any) -> None:
    model, x, _ = images(keras)
    table = gw.neurons.measure(model, x, measures=FORWARD, batch_size=4)
    seen = {layer.name: layer.seen for layer in table.layers}
    assert seen == {
        "first": "after relu", "norm": "after relu", "inner.fused": "after relu", "called": "after tanh",
        "head": "after softmax",
    }  # fmt: skip
    for name, values in after(keras, model, x).items():
        rows = values.reshape(-1, values.shape[-1])
        mine = table.filter(table.layer == name)
        np.testing.assert_allclose(mine["mean"], rows.mean(0), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(mine["variance"], rows.var(0), rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(mine["active_fraction"], (rows > 0).mean(0), atol=2 / len(rows))
        np.testing.assert_allclose(mine["dormancy"], np.abs(rows).mean(0) / np.abs(rows).mean(), rtol=1e-4)
    kernel = np.abs(keras.ops.convert_to_numpy(model.get_layer("first").kernel))
    norms = np.sqrt((x.astype(np.float64) ** 2).sum((0, 1, 2)))
    first = table.filter("layer == 'first'")
    np.testing.assert_allclose(first["wanda"], (kernel * norms[:, None]).sum((0, 1, 2)), rtol=1e-5)
    rows = np.sqrt((kernel.astype(np.float64) ** 2).sum((0, 1, 2)))
    np.testing.assert_allclose(first["incoming_norm"], rows, rtol=1e-6)
    head = keras.ops.convert_to_numpy(model.get_layer("head").kernel).astype(np.float64)
    np.testing.assert_allclose(table.filter("layer == 'called'")["outgoing_norm"], np.sqrt((head**2).sum(1)), rtol=1e-6)


def test_gradients_are_those_of_finite_differences(keras: Any) -> None:
    """The fisher and taylor scores of the last hidden layer, from the softmax's own gradient."""
    model, x, y = images(keras)
    if keras.backend.backend() == "jax":
        with pytest.raises(gw.UnsupportedError, match="tensorflow"):
            gw.neurons.measure(model, (x, y), measures="taylor", loss="cross_entropy")
        return
    table = gw.neurons.measure(model, (x, y), measures=GRADED, loss="cross_entropy", batch_size=4)
    found = after(keras, model, x)
    kernel = keras.ops.convert_to_numpy(model.get_layer("head").kernel).astype(np.float64)
    slopes = (found["head"] - np.eye(3)[y]) @ kernel.T
    products = found["called"] * slopes
    mine = table.filter("layer == 'called'")
    np.testing.assert_allclose(mine["taylor"], np.abs(products).mean(0), rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(mine["fisher"], 0.5 * (products**2).mean(0), rtol=1e-3, atol=1e-8)
    np.testing.assert_allclose(mine["gradient_dormancy"], np.abs(slopes).mean(0) / np.abs(slopes).mean(), rtol=1e-3)
    pooled = table.filter("layer == 'inner.fused'")
    assert (pooled["taylor"] > 0).all()
    whole = gw.neurons.measure(model, (x, y), measures=GRADED, loss="cross_entropy", batch_size=11)
    np.testing.assert_allclose(whole["fisher"], table["fisher"], rtol=1e-3, atol=1e-9)


def test_tokens_heads_and_states(keras: Any) -> None:
    given = keras.Input((5,), dtype="int32")
    x = keras.layers.Embedding(9, 8, name="rows")(given)
    x = keras.layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    x = keras.layers.LayerNormalization(name="norm")(x)
    model = keras.Model(given, keras.layers.GRU(3, name="gru")(x))
    data = np.random.default_rng(0).integers(0, 9, (7, 5))
    table = gw.neurons.measure(model, data, measures=["mean", "active_fraction"], batch_size=3)
    kinds = {layer.name: (layer.kind, layer.units) for layer in table.layers}
    assert kinds == {"rows": ("embedding", 9), "attention": ("heads", 2), "norm": ("norm", 8), "gru": ("recurrent", 3)}
    often = np.bincount(data.reshape(-1), minlength=9) / data.size
    np.testing.assert_allclose(table.filter("layer == 'rows'")["active_fraction"], often)
    attention = model.get_layer("attention")
    dense = attention._output_dense
    assert "call" not in vars(dense)
    rows = keras.ops.convert_to_numpy(model.get_layer("rows")(data)).astype(np.float64)
    weights = {k: keras.ops.convert_to_numpy(v).astype(np.float64) for k, v in _parts(attention).items()}
    q, k, v = (np.einsum("btd,dhe->bthe", rows, weights[name]) for name in ("query", "key", "value"))
    scores = np.einsum("bqhe,bkhe->bhqk", q, k) / 2.0
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    heads = np.einsum("bhqk,bkhe->bqhe", scores / scores.sum(-1, keepdims=True), v)
    expected = np.linalg.norm(heads, axis=-1).mean((0, 1))
    np.testing.assert_allclose(table.filter("layer == 'attention'")["mean"], expected, rtol=1e-3)
    gru = np.asarray(keras.ops.convert_to_numpy(model(data)), np.float64)
    np.testing.assert_allclose(table.filter("layer == 'gru'")["mean"], gru.mean(0), rtol=1e-3, atol=1e-6)
    assert table.filter("layer == 'attention' & unit == 1").mask()["attention"].tolist() == [False, True]
    chosen = table.filter("layer == 'gru' & unit == 1").mask()
    mutant = gw.mutate(model, gw.Zero(where=gw.where("*.kernel", units=chosen), rate=1.0), seed=1)
    kernel = next(v for v in mutant.get_layer("gru").trainable_variables if v.name == "kernel")
    assert np.flatnonzero((keras.ops.convert_to_numpy(kernel) == 0).all(0)).tolist() == [1, 4, 7]


def _parts(attention: Any) -> dict[str, Any]:
    return {name: getattr(attention, f"_{name}_dense").kernel for name in ("query", "key", "value")}


def test_the_model_is_left_as_it_was(keras: Any) -> None:
    model = keras.Sequential(
        [
            keras.Input((4, 3), batch_size=2),
            keras.layers.LSTM(3, stateful=True, name="kept"),
            keras.layers.Dropout(0.5, seed=1),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(2),
        ]
    )
    x = np.random.default_rng(0).normal(size=(4, 4, 3)).astype("float32")
    model(x[:2])
    before = [np.array(keras.ops.convert_to_numpy(v)) for v in model.variables]
    table = gw.neurons.measure(model, x, measures="mean", batch_size=2)
    assert len(table) == 3 + 3 + 2
    for variable, values in zip(model.variables, before, strict=True):
        assert np.array_equal(keras.ops.convert_to_numpy(variable), values)


def test_a_subclassed_model_is_seen_through_its_code(keras: Any) -> None:
    class Net(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.wide = keras.layers.Dense(6)
            self.head = keras.layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.head(keras.ops.relu(self.wide(x)))

    net = Net()
    x = np.random.default_rng(0).normal(size=(9, 3)).astype("float32")
    net(x)
    table = gw.neurons.measure(net, x, measures=["active_fraction"], batch_size=4)
    assert {layer.name: layer.seen for layer in table.layers} == {"wide": "after relu", "head": "as it is"}
    wide = keras.ops.convert_to_numpy(net.wide(x))
    np.testing.assert_allclose(table.filter("layer == 'wide'")["active_fraction"], (wide > 0).mean(0))


def test_tensors_of_the_backend_are_compared(keras: Any) -> None:
    x = keras.ops.convert_to_tensor([[0.0, 2.0], [1.0, 0.0]])
    for y in (np.array([0.5, 3.0]), keras.ops.convert_to_tensor([0.5, 3.0])):
        found = gw.neurons.check_active(x, y, ">")
        assert keras.ops.is_tensor(found)
        assert keras.ops.convert_to_numpy(found).tolist() == [[False, False], [True, False]]
    columns = gw.neurons.check_active(x, [0.5, 3.0], "<", unit_axis=0)
    assert keras.ops.convert_to_numpy(columns).tolist() == [[True, False], [True, True]]


@pytest.mark.parametrize("by", ["mean", "incoming_norm"])
def test_heads_are_removed_by_what_was_measured_of_them(keras: Any, by: str) -> None:
    given = keras.Input((5, 6))
    attention = keras.layers.MultiHeadAttention(4, 4, name="attention")  # as many heads as a head has entries
    model = keras.Model(given, keras.layers.Dense(3)(attention(given, given)))
    x = np.random.default_rng(2).normal(size=(7, 5, 6)).astype("float32")
    held = gw.neurons.measure(model, x, layers="attention", measures=by)[by]
    if by == "incoming_norm":
        kernels = [np.asarray(keras.ops.convert_to_numpy(w), np.float64) for w in attention.weights[:6:2]]
        assert [kernel.shape for kernel in kernels] == [(6, 4, 4)] * 3
        np.testing.assert_allclose(held, np.sqrt(sum(np.square(k).sum((0, 2)) for k in kernels)), rtol=1e-6)
    fewer = gw.mutate(model, gw.RemoveHeads("attention", 1, by=by), seed=1, example=x).get_layer("attention")
    left = [head for head in range(4) if head != np.argmin(held)]
    before, after = attention.weights[0], fewer.weights[0]
    to_array = keras.ops.convert_to_numpy
    assert np.array_equal(to_array(after), to_array(before)[:, left])
