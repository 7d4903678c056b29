"""What a width is: the same words for the same network, in torch and in Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import genewright as gw
from genewright.backends import backend_of
from genewright.widths.reasons import Cause

torch = pytest.importorskip("torch")

STEPS, WIDTH, HEADS, SIZE = 3, 8, 2, 5
BATCH = np.random.default_rng(0).normal(size=(2, STEPS, 4)).astype(np.float32)


def _rms(x: Any, mean: Callable[[Any], Any]) -> Any:
    return x / (mean(x * x) + 1e-6) ** 0.5


def _centred(x: Any, mean: Callable[[Any], Any]) -> Any:
    return _rms(x - mean(x), mean)


def _spread(x: Any, mean: Callable[[Any], Any]) -> Any:
    """A norm whose variance the framework works out."""
    if torch.is_tensor(x):
        return (x - mean(x)) / (x.var(-1, keepdim=True, unbiased=False) + 1e-6) ** 0.5
    import keras

    average, variance = keras.ops.moments(x, -1, keepdims=True)
    return (x - average) / (variance + 1e-6) ** 0.5


NORMS = {"root mean square": _rms, "layer": _centred, "layer, by its variance": _spread}


class TorchNorm(torch.nn.Module):
    def __init__(self, norm: Any) -> None:
        super().__init__()
        self.first, self.last, self.norm = torch.nn.Linear(4, WIDTH), torch.nn.Linear(WIDTH, 2), norm

    def forward(self, x: Any) -> Any:
        return self.last(self.norm(self.first(x), lambda y: y.mean(-1, keepdim=True)))


def _keras_norm(keras: Any, norm: Any, form: str) -> Any:
    def mean(y: Any) -> Any:
        return keras.ops.mean(y, axis=-1, keepdims=True)

    if form == "functional":
        given = keras.Input((STEPS, 4))
        return keras.Model(given, keras.layers.Dense(2)(norm(keras.layers.Dense(WIDTH, name="first")(given), mean)))

    class Own(keras.Model):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.first, self.last = keras.layers.Dense(WIDTH), keras.layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.last(norm(self.first(x), mean))

    model = Own()
    model(BATCH)
    return model


@pytest.mark.parametrize("form", ["functional", "subclassed"])
@pytest.mark.parametrize("norm", NORMS)
def test_a_norm_written_out_runs_across_a_stream(keras: Any, norm: str, form: str) -> None:
    network = TorchNorm(NORMS[norm])
    there = gw.knobs(network, torch.tensor(BATCH))["first"]
    model = _keras_norm(keras, NORMS[norm], form)
    here = gw.knobs(model, BATCH)["first"]
    for knob in (there, here):
        assert (knob.kind, knob.size, knob.free, knob.normalised) == ("stream", WIDTH, True, True)
        assert {reason.cause for reason in knob.mixes} == {Cause.AVERAGED}
    for one, example in ((network, torch.tensor(BATCH)), (model, BATCH)):
        wide = gw.mutate(one, gw.WidenStream("first", init="replicate"), seed=1, example=example)
        before, after = (backend_of(m).predict(m, example)[0] for m in (one, wide))
        assert np.abs(before - after).max() < 1e-5
        assert gw.knobs(wide, example)["first"].size == 2 * WIDTH


def test_a_mean_that_is_no_norm_across_units_leaves_them_units(keras: Any) -> None:
    given = keras.Input((STEPS, 4))
    x = keras.ops.mean(keras.layers.Dense(WIDTH, name="first")(given), axis=1)
    model = keras.Model(given, keras.layers.Dense(2)(x))
    assert gw.knobs(model, BATCH)["first"].kind == "units"


class TorchHeads(torch.nn.Module):
    """Attention written out."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = (torch.nn.Linear(4, HEADS * SIZE) for _ in range(3))
        self.out = torch.nn.Linear(HEADS * SIZE, 2)

    def forward(self, x: Any) -> Any:
        q, k, v = (f(x).unflatten(-1, (HEADS, SIZE)).transpose(1, 2) for f in (self.q, self.k, self.v))
        scores = torch.softmax(q @ k.transpose(2, 3) / SIZE**0.5, -1)
        return self.out((scores @ v).transpose(1, 2).flatten(2))


def _kinds(knobs: Any, *layers: str) -> dict[tuple[str, int], str]:
    """What the widths are that these layers write, by layer and size."""
    return {(layer, knob.size): knob.kind for knob in knobs for layer in layers if layer in knob.layers}


EXPECTED = {("q", HEADS): "heads", ("q", SIZE): "head size", ("k", HEADS): "heads", ("k", SIZE): "head size",
            ("v", HEADS): "heads", ("v", SIZE): "units"}  # fmt: skip


def _written(keras: Any, project: Any, q: Any, k: Any, v: Any, out: Any, x: Any) -> Any:
    scores = keras.ops.softmax(keras.ops.einsum("bqhd,bkhd->bhqk", project(q, x), project(k, x)) / SIZE**0.5, axis=-1)
    weighed = keras.ops.einsum("bhqk,bkhd->bqhd", scores, project(v, x))
    return out(weighed)


def _einsum_dense(keras: Any) -> Any:
    given = keras.Input((STEPS, 4))
    q, k, v = (keras.layers.EinsumDense("btc,chd->bthd", (STEPS, HEADS, SIZE), name=name) for name in "qkv")
    out = keras.layers.EinsumDense("bthd,hde->bte", (STEPS, 2), name="out")
    return keras.Model(given, _written(keras, lambda f, x: f(x), q, k, v, out, given))


def _reshaped(keras: Any) -> Any:
    """Dense layers, reshaped by layers and multiplied by matmul."""
    layers, ops = keras.layers, keras.ops
    given = keras.Input((STEPS, 4))
    q, k, v = (
        layers.Permute((2, 1, 3))(layers.Reshape((STEPS, HEADS, SIZE))(layers.Dense(HEADS * SIZE, name=name)(given)))
        for name in "qkv"
    )
    scores = ops.softmax(q @ ops.transpose(k, (0, 1, 3, 2)) / SIZE**0.5, axis=-1)
    merged = layers.Reshape((STEPS, HEADS * SIZE))(layers.Permute((2, 1, 3))(ops.matmul(scores, v)))
    return keras.Model(given, layers.Dense(2, name="out")(merged))


def _subclassed(keras: Any) -> Any:
    """Dense layers, reshaped by keras.ops to numbers that the code says."""

    class Own(keras.Model):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.q, self.k, self.v = (keras.layers.Dense(HEADS * SIZE) for _ in range(3))
            self.out = keras.layers.Dense(2)

        def call(self, x: Any) -> Any:
            def project(layer: Any, x: Any) -> Any:
                return keras.ops.reshape(layer(x), (-1, STEPS, HEADS, SIZE))

            def out(x: Any) -> Any:
                return self.out(keras.ops.reshape(x, (-1, STEPS, HEADS * SIZE)))

            return _written(keras, project, self.q, self.k, self.v, out, x)

    model = Own()
    model(BATCH)
    return model


def test_heads_and_their_size_in_torch() -> None:
    assert _kinds(gw.knobs(TorchHeads(), torch.tensor(BATCH)), "q", "k", "v") == EXPECTED


@pytest.mark.parametrize("make", [_einsum_dense, _reshaped, _subclassed])
def test_heads_and_their_size_are_the_same_in_keras(keras: Any, make: Any) -> None:
    knobs = gw.knobs(make(keras), BATCH)
    assert _kinds(knobs, "q", "k", "v") == EXPECTED
    sizes = [knob for knob in knobs if knob.kind == "head size"]
    assert all(knob.contracted for knob in sizes)
    if make is _subclassed:
        assert all(pin.cause is Cause.LITERAL_SIZE for knob in sizes for pin in knob.pins[:1])
        assert not any(knob.free for knob in sizes)


def test_the_heads_of_an_attention_layer_are_the_same_in_both(keras: Any) -> None:
    given = keras.Input((STEPS, 4))
    model = keras.Model(given, keras.layers.MultiHeadAttention(HEADS, SIZE, value_dim=6, name="attend")(given, given))
    here = _kinds(gw.knobs(model, BATCH), "attend")
    assert here == {("attend", HEADS): "heads", ("attend", SIZE): "head size", ("attend", 6): "units",
                    ("attend", 4): "units"}  # fmt: skip
    free = {knob.kind: knob.attributes for knob in gw.knobs(model, BATCH) if knob.free and "attend" in knob.layers}
    assert free == {"heads": ("attend.num_heads",), "units": ("attend.value_dim",)}


def test_the_heads_of_an_attention_layer_in_torch() -> None:
    class Attend(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attend = torch.nn.MultiheadAttention(HEADS * SIZE, HEADS, batch_first=True)

        def forward(self, x: Any) -> Any:
            return self.attend(x, x, x, need_weights=False)[0]

    found = gw.knobs(Attend(), torch.ones(2, STEPS, HEADS * SIZE))
    assert {(HEADS, "heads"), (SIZE, "head size")} <= {(knob.size, knob.kind) for knob in found}


def test_grouped_heads_have_a_size_too(keras: Any) -> None:
    given = keras.Input((STEPS, 4))
    model = keras.Model(given, keras.layers.GroupQueryAttention(SIZE, 4, HEADS, name="attend")(given, given))
    kinds = [(knob.size, knob.kind) for knob in gw.knobs(model, BATCH) if "attend" in knob.layers]
    assert sorted(kinds) == [(2, "heads"), (2, "heads"), (4, "units"), (SIZE, "head size"), (SIZE, "units")]


def test_a_head_size_in_keras_is_refused_as_one(keras: Any) -> None:
    model = _einsum_dense(keras)
    size = next(knob for knob in gw.knobs(model, BATCH) if knob.kind == "head size")
    with pytest.raises(gw.UnsupportedError, match="size of heads cannot change in this kind of model"):
        gw.mutate(model, gw.Widen(size.name, num_units=1), seed=1, example=BATCH)
    with pytest.raises(gw.UnsupportedError, match="size of heads cannot change in this kind of model"):
        gw.mutate(model, gw.Narrow(size.name, num_units=1), seed=1, example=BATCH)
