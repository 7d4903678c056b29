"""Heads of Keras's attention layers: more of them keep the outputs, fewer are as with those masked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import genewright as gw
from genewright.backends import backend_of
from genewright.outputs import largest_change
from genewright.seeding import Noise
from tests.crosses import crossed

from .test_rules import randomized

BATCH = np.random.default_rng(0).normal(size=(3, 5, 6)).astype(np.float32)
GROUPED = {"num_query_heads": 6, "num_key_value_heads": 3, "head_dim": 4}


def _layer(keras: Any, kind: str, **settings: Any) -> Any:
    own = GROUPED if kind == "GroupQueryAttention" else {"num_heads": 3, "key_dim": 4, "value_dim": 2}
    return getattr(keras.layers, kind)(**{**own, **settings}, name="attend")


def functional(keras: Any, kind: str, **settings: Any) -> Any:
    given = keras.Input((5, 6))
    x = keras.layers.Add()([given, _layer(keras, kind, **settings)(given, given)])
    return randomized(keras.Model(given, keras.layers.Dense(2, name="out")(x)))


def sequential(keras: Any, kind: str) -> Any:
    given = keras.Input((5, 6))
    inner = keras.Model(given, _layer(keras, kind)(given, given, use_causal_mask=True), name="inner")
    dense = [keras.layers.Dense(size, name=name) for name, size in (("in", 6), ("out", 2))]
    return randomized(keras.Sequential([keras.Input((5, 6)), dense[0], inner, dense[1]]))


def subclassed(keras: Any, kind: str) -> Any:
    class Reader(keras.Model):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.attend = _layer(keras, kind)
            self.head = keras.layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.head(x + self.attend(x, x))

    model = Reader()
    model(BATCH)
    return randomized(model)


def change(one: Any, other: Any, batch: Any = BATCH) -> float:
    outputs = [backend_of(model).exact_outputs(model, batch) for model in (one, other)]
    assert all(each.exact for each in outputs)
    return largest_change(*outputs)


def attention_of(model: Any) -> Any:
    return next(layer for layer in model._flatten_layers() if layer.name == "attend")


def heads_of(model: Any) -> int:
    config = attention_of(model).get_config()
    return int(config.get("num_heads") or config["num_query_heads"])


def masked(model: Any, heads: list[int]) -> Any:
    """Return the model with the outputs of some heads multiplied by zero."""
    copied = backend_of(model).copy(model)
    projection = attention_of(copied)._output_dense
    kernel, *bias = projection.get_weights()
    kernel[heads] = 0
    projection.set_weights([kernel, *bias])
    return copied


def loaded(make: Callable[[], Any], mutant: Any, folder: Path) -> Any:
    gw.save(mutant, folder / "mutant.safetensors")
    return gw.load(make, folder / "mutant.safetensors")


FORMS = {form.__name__: form for form in (functional, sequential, subclassed)}
KINDS = ("MultiHeadAttention", "GroupQueryAttention")
SLOWEST = [pytest.param("subclassed", kind, marks=pytest.mark.slow) for kind in KINDS]


@pytest.mark.parametrize(("form", "kind"), [*crossed(("functional", "sequential"), KINDS, one_in=2), *SLOWEST])
def test_heads_come_and_go_in_every_form_of_model(keras: Any, form: str, kind: str, tmp_path: Path) -> None:
    make = FORMS[form]
    model, each = make(keras, kind), 2 if kind == "GroupQueryAttention" else 1  # query heads of a group
    name = "inner.attend" if make is sequential else "attend"
    wide = gw.mutate(model, gw.AddHeads(name, num_heads=2), seed=3, example=BATCH)
    assert heads_of(wide) == heads_of(model) + 2 * each
    assert change(model, wide) < 1e-9
    gone = list(range(each, 2 * each))
    slim = gw.mutate(model, gw.RemoveHeads(name, heads=(1,)), seed=3, example=BATCH)
    assert heads_of(slim) == heads_of(model) - each
    assert change(masked(model, gone), slim) < 1e-12
    assert change(model, slim) > 1e-3
    for mutant in (wide, slim):
        assert gw.fingerprint(gw.replay(gw.recipe(mutant), model)) == gw.fingerprint(mutant)
    again = loaded(lambda: make(keras, kind), wide, tmp_path)
    assert gw.fingerprint(again) == gw.fingerprint(wide)
    assert change(wide, again) == 0


def test_the_least_important_heads_go(keras: Any) -> None:
    model = functional(keras, "MultiHeadAttention")
    attention = attention_of(model)
    projections = [attention._query_dense, attention._key_dense, attention._value_dense]
    squares = sum((projection.get_weights()[0] ** 2).sum(axis=(0, 2)) for projection in projections)
    least = int(np.argmin(squares))
    slim = gw.mutate(model, gw.RemoveHeads("attend", by="l2"), seed=1, example=BATCH)
    assert change(masked(model, [least]), slim) < 1e-12
    assert all(change(masked(model, [other]), slim) > 1e-3 for other in {0, 1, 2} - {least})


def test_heads_that_were_added_are_removed_without_a_trace(keras: Any) -> None:
    model = functional(keras, "MultiHeadAttention")
    steps = [gw.AddHeads("attend", 2), gw.RemoveHeads("attend", heads=(3, 4))]
    assert gw.fingerprint(gw.mutate(model, steps, seed=1, example=BATCH)) == gw.fingerprint(model)


@pytest.mark.parametrize("settings", [{"use_gate": True}, {"use_bias": False}, {"num_heads": 1}, {"output_shape": 7}])
def test_gates_biases_and_a_single_head(keras: Any, settings: dict[str, Any]) -> None:
    given = keras.Input((5, 6))
    attended = _layer(keras, "MultiHeadAttention", **settings)(given, given)
    model = randomized(keras.Model(given, keras.layers.Dense(2)(attended)))
    wide = gw.mutate(model, gw.AddHeads("attend", 1), seed=1, example=BATCH)
    assert heads_of(wide) == heads_of(model) + 1
    assert change(model, wide) < 1e-9


@pytest.mark.parametrize(("queries", "groups", "made"), [(4, 1, (5, 1)), (4, 4, (5, 5)), (4, 2, (6, 3))])
def test_one_group_and_groups_of_one(keras: Any, queries: int, groups: int, made: tuple[int, int]) -> None:
    settings = {"num_query_heads": queries, "num_key_value_heads": groups, "use_gate": True}
    model = functional(keras, "GroupQueryAttention", **settings)
    wide = gw.mutate(model, gw.AddHeads("attend", 1), seed=1, example=BATCH)
    attention = wide.get_layer("attend")
    assert (attention.num_query_heads, attention.num_key_value_heads) == made
    assert change(model, wide) < 1e-9


def test_query_heads_of_every_group_are_a_width_of_their_own(keras: Any) -> None:
    model = functional(keras, "GroupQueryAttention")
    beside = next(k for k in gw.knobs(model, BATCH) if k.kind == "heads" and k.size == 2)
    wide = gw.mutate(model, gw.Widen(beside.name, num_units=1), seed=1, example=BATCH)
    attention = wide.get_layer("attend")
    assert (attention.num_query_heads, attention.num_key_value_heads) == (9, 3)
    assert change(model, wide) < 1e-9


def test_cross_attention_with_its_scores_and_a_mask(keras: Any) -> None:
    given, other = keras.Input((5, 6)), keras.Input((4, 3))
    layer = _layer(keras, "MultiHeadAttention")
    mask = np.tril(np.ones((5, 4), bool))[None]
    x, scores = layer(given, other, attention_mask=mask, return_attention_scores=True)
    largest = keras.ops.max(scores, axis=1)
    plain, shown = (randomized(keras.Model([given, other], outputs)) for outputs in (x, [x, largest]))
    batch = [BATCH, BATCH[:, :4, :3]]
    wide = gw.mutate(plain, gw.AddHeads("attend", 1), seed=1, example=batch)
    assert change(plain, wide, batch) < 1e-9
    with pytest.raises(gw.UnsupportedError, match="max runs over it"):  # a new head's scores would count
        gw.mutate(shown, gw.AddHeads("attend", 1), seed=1, example=batch)


def test_a_mask_of_every_head_says_their_number(keras: Any) -> None:
    given = keras.Input((5, 6))
    mask = np.random.default_rng(0).random((1, 3, 5, 5)) > 0.3
    by_constant = _layer(keras, "MultiHeadAttention")(given, given, attention_mask=mask)
    with pytest.raises(gw.UnsupportedError, match="a mask has this length"):
        gw.mutate(keras.Model(given, by_constant), gw.AddHeads("attend"), seed=1, example=BATCH)
    masks = keras.Input((3, 5, 5), dtype="bool")
    model = keras.Model([given, masks], _layer(keras, "MultiHeadAttention")(given, given, attention_mask=masks))
    batch = [BATCH, np.repeat(mask, 3, 0)]
    with pytest.raises(gw.UnsupportedError, match="it is a length of the model's input"):
        gw.mutate(model, gw.AddHeads("attend"), seed=1, example=batch)


def test_what_cannot_change_is_refused_with_the_reason(keras: Any) -> None:
    class Own(keras.layers.MultiHeadAttention):
        def _compute_attention(self, query: Any, *others: Any, **settings: Any) -> Any:
            return super()._compute_attention(query * 2.0, *others, **settings)

    class Block(keras.layers.Layer):
        def __init__(self, name: str | None = None, trainable: bool = True, dtype: Any = None) -> None:
            super().__init__(name=name, trainable=trainable, dtype=dtype)
            self.inner = keras.layers.MultiHeadAttention(2, 3)

        def build(self, shape: Any) -> None:
            self.inner.build(shape, shape)

        def call(self, x: Any) -> Any:
            return self.inner(x, x)

    given = keras.Input((5, 6))
    images = keras.Input((5, 4, 6))
    cases = {
        "no projections, so all of what it is given is one head": keras.layers.Attention(name="a")([given, given]),
        "no rule says what a subclass of MultiHeadAttention does": Own(2, 3, name="a")(given, given),
        "no rule says what a Block does": Block(name="a")(given),
        "it looks over several axes": keras.layers.MultiHeadAttention(2, 3, name="a")(images, images),
    }
    for reason, made in cases.items():
        model = keras.Model(images if "several" in reason else given, made)
        for operator in (gw.AddHeads("a"), gw.RemoveHeads("a")):
            with pytest.raises(gw.UnsupportedError, match=reason):
                gw.mutate(model, operator, seed=1, example=BATCH)


def test_the_seed_chooses_among_heads_that_can_change(keras: Any) -> None:
    given = keras.Input((5, 6))
    x = given
    for name, heads in (("one", 1), ("two", 2), ("four", 4)):
        x = keras.layers.Add()([x, keras.layers.MultiHeadAttention(heads, 3, name=name)(x, x)])
    model = keras.Model(given, keras.layers.Dense(2)(x))
    network = backend_of(model).network(model)
    sizes = {knob.name: knob.size for knob in gw.knobs(model, BATCH) if knob.kind == "heads"}

    def chosen(operator: gw.RemoveHeads) -> list[int]:
        return sorted({sizes[operator.resolve((network,), Noise(seed)).layer or ""] for seed in range(12)})

    assert chosen(gw.RemoveHeads(num_heads=1)) == [2, 4]
    assert chosen(gw.RemoveHeads(num_heads=3)) == [4]
    assert chosen(gw.RemoveHeads(heads=(1,))) == [2, 4]
    with pytest.raises(gw.SettingError, match="4 units; removing 4 leaves none"):
        gw.plan(model, gw.RemoveHeads(num_heads=4), seed=1, example=BATCH)
