"""Every free width of a Keras model is tried with one unit more; those that do not run are pinned, with the reason."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

import genewright as gw
from genewright.backends import backend_of
from genewright.widths.reasons import Cause

BATCH = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)


def _named(keras: Any) -> Any:
    class Named(keras.Model):
        """Its code names the size of one of its layers."""

        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.one, self.two, self.three = (keras.layers.Dense(n) for n in (6, 6, 2))

        def call(self, x: Any) -> Any:
            x = self.one(x)
            if x.shape[-1] != 6:
                raise ValueError("one has six units")
            return self.three(self.two(x))

    return Named


def _choosing(keras: Any) -> Any:
    class Choosing(keras.Model):
        """It runs at any size, and at another one does something else."""

        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.one, self.two, self.three = (keras.layers.Dense(n) for n in (6, 6, 2))

        def call(self, x: Any) -> Any:
            x = self.one(x)
            return self.three(self.two(keras.ops.relu(x) if x.shape[-1] == 6 else x))

    return Choosing


@pytest.mark.parametrize(
    ("make", "reason"),
    [(_named, "one has six units"), (_choosing, "Dense would run where Relu did")],
)
def test_code_that_names_a_size_pins_the_width(keras: Any, make: Any, reason: str) -> None:
    model = make(keras)()
    model(BATCH)
    mark, state = gw.fingerprint(model), random.getstate()
    widths = backend_of(model).network(model, BATCH).structure.widths
    assert widths.knobs()["one"].free  # by the algebra
    found = gw.knobs(model, BATCH)
    assert [pin.cause for pin in found["one"].pins] == [Cause.TRIED]
    assert "'one' cannot have 7 units instead of 6" in str(found["one"].pins[0])
    assert reason in str(found["one"].pins[0])
    assert found["two"].free
    assert (gw.fingerprint(model), random.getstate()) == (mark, state)
    with pytest.raises(gw.UnsupportedError, match=f"'one' cannot have 8 units instead of 6: .*{reason}"):
        gw.mutate(model, gw.Widen("one", num_units=2), seed=1, example=BATCH)
    for seed in range(4):  # left to choose, it chooses what runs
        wide = gw.mutate(model, gw.Widen(num_units=2), seed=seed, example=BATCH)
        assert (wide.one.units, wide.two.units) == (6, 8)


def test_a_reshape_to_a_literal_pins_the_width_of_a_graph(keras: Any) -> None:
    class Grid(keras.layers.Reshape):
        def __init__(self, target_shape: Any = None, **kwargs: Any) -> None:
            super().__init__((2, 3), **kwargs)

    given = keras.Input((4,))
    x = Grid(name="grid")(keras.layers.Dense(6, name="w")(given))
    x = keras.layers.Flatten()(keras.layers.Dense(5, name="other")(x))
    model = keras.Model(given, keras.layers.Dense(2)(x))
    found = gw.knobs(model, BATCH)
    pinned = [knob for knob in found if "w" in knob.layers]
    assert [knob.size for knob in pinned] == [2, 3]
    assert all([pin.cause for pin in knob.pins] == [Cause.TRIED] for knob in pinned)
    assert "cannot have 3 units instead of 2" in str(pinned[0].pins[0])
    assert found["other"].free
    with pytest.raises(gw.UnsupportedError, match=r"cannot have 4 units instead of 3"):
        gw.mutate(model, gw.Widen(pinned[1].name, num_units=1), seed=1, example=BATCH)


def test_a_layer_that_says_its_own_size_pins_the_width(keras: Any) -> None:
    class Six(keras.layers.Dense):
        def __init__(self, units: int = 6, **kwargs: Any) -> None:
            super().__init__(6, **kwargs)

    model = keras.Sequential([keras.Input((4,)), Six(name="six"), keras.layers.Dense(5, name="other"), *_end(keras)])
    found = gw.knobs(model, BATCH)
    assert "six.kernel would have the shape (4, 6), where (4, 7) is needed" in str(found["six"].pins[0])
    assert found["other"].free


def test_one_entry_for_two_widths_pins_both(keras: Any) -> None:
    given = keras.Input((4,))
    shared = keras.layers.Reshape((6, 1), name="shared")
    both = [shared(keras.layers.Dense(6, name=name)(given)) for name in "ab"]
    x = keras.layers.Flatten()(keras.layers.Concatenate(axis=1)(both))
    model = keras.Model(given, keras.layers.Dense(2)(x))
    found = gw.knobs(model, BATCH)
    for name in "ab":
        assert "shared.target_shape.0 would be" in str(found[name].pins[0])


def test_code_that_compares_two_widths_pins_both(keras: Any) -> None:
    class Alike(keras.Model):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.one, self.two, self.three = (keras.layers.Dense(n) for n in (6, 6, 2))

        def call(self, x: Any) -> Any:
            first = self.one(x)
            second = self.two(first)
            if first.shape != second.shape:
                raise ValueError("both are alike")
            return self.three(second)

    model = Alike()
    model(BATCH)
    found = gw.knobs(model, BATCH)
    assert all("both are alike" in str(found[name].pins[0]) for name in ("one", "two"))


def _end(keras: Any) -> list[Any]:
    return [keras.layers.Dense(2, name="end")]


def test_what_runs_stays_free(keras: Any, classifier: Any, reader: Any, images: Any, words: Any) -> None:
    inner = keras.Sequential([keras.Input((6,)), keras.layers.Dense(5, name="deep"), keras.layers.Dense(6)], name="in")
    nested = keras.Sequential([keras.Input((4,)), keras.layers.Dense(6, name="up"), inner, *_end(keras)])
    for model, example in ((classifier(), images), (reader(), words), (nested, BATCH)):
        known = backend_of(model).network(model, example).structure.widths.knobs()
        found = gw.knobs(model, example)
        assert [knob.name for knob in found] == [knob.name for knob in known]
        assert [knob.free for knob in found] == [knob.free for knob in known]
        assert any(knob.free for knob in found)


def test_scales_of_keras_applications_follow_their_stream(keras: Any) -> None:
    """Their variable has no name of its own, which Keras makes up for by a number."""
    model = keras.applications.ConvNeXtTiny(
        weights=None, input_shape=(32, 32, 3), include_top=False, include_preprocessing=False
    )
    widths = backend_of(model).network(model, np.zeros((1, 32, 32, 3), np.float32)).structure.widths
    stem = widths.knobs()["convnext_tiny_stem.convnext_tiny_stem_conv"]
    assert "convnext_tiny_stage_0_block_0_layer_scale.gamma" in {place.tensor for place in stem.places}
