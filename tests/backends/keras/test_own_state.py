"""What layers keep beside their variables and save by methods of their own: seen, told, carried, never lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import genewright as gw

X = np.ones((2, 4), np.float32)


@keras.saving.register_keras_serializable(package="tests")
class Scaled(keras.layers.Layer):
    """Multiplies by a number that is no variable."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.factor = 1.0

    def build(self, input_shape: Any) -> None:
        self.gain = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="gain")

    def call(self, x: Any) -> Any:
        return x * self.gain * self.factor

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"name": self.name}

    def save_own_variables(self, store: Any) -> None:
        super().save_own_variables(store)
        store["factor"] = np.array(self.factor)

    def load_own_variables(self, store: Any) -> None:
        self.factor = float(np.array(store["factor"]))
        super().load_own_variables({"0": store["0"]})


def net(factor: float = 2.0) -> Any:
    made = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, name="dense"), Scaled(name="scaled")])
    made.set_weights([np.full(v.shape, 0.5, np.float32) for v in made.weights])
    made.get_layer("scaled").factor = factor
    return made


def test_a_fingerprint_and_a_plan_see_it() -> None:
    assert gw.fingerprint(net(2.0)) == gw.fingerprint(net(2.0)) != gw.fingerprint(net(1.0))
    assert "left alone: 1 pieces of state" in str(gw.plan(net(), gw.Zero(rate=0.5), seed=1))


@pytest.mark.parametrize("operator", [gw.SignFlip(rate=1.0), gw.InsertLayer("dense", "Dense")])
def test_a_mutant_keeps_it(operator: Any) -> None:
    base = net()
    mutant = gw.mutate(base, operator, seed=1, example=X)
    assert mutant.get_layer("scaled").factor == 2.0
    assert gw.fingerprint(gw.replay(gw.recipe(mutant), base)) == gw.fingerprint(mutant)


def test_a_file_holds_it_or_is_refused(tmp_path: Path) -> None:
    mutant = gw.mutate(net(), gw.SignFlip(rate=1.0), seed=1)
    gw.save(mutant, tmp_path / "mutant.keras")
    again = keras.models.load_model(tmp_path / "mutant.keras")
    assert again.get_layer("scaled").factor == 2.0
    assert gw.fingerprint(gw.load(tmp_path / "mutant.keras")) == gw.fingerprint(mutant)
    with pytest.raises(gw.FileError, match=r"'scaled' keeps more of its own \('scaled.factor'\)"):
        gw.save(mutant, tmp_path / "mutant.safetensors")
    with pytest.raises(gw.FileError, match="Load the whole model"):
        gw.load(net, tmp_path / "mutant.keras")


def test_a_class_whose_config_leaves_out_the_name_keeps_it() -> None:
    class Passing(keras.layers.Layer):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)

        def build(self, input_shape: Any) -> None:
            self.gain = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="gain")

        def call(self, x: Any) -> Any:
            return x * self.gain

    made = keras.Sequential([keras.Input((4,)), Passing(name="mine")])
    mutant = gw.mutate(made, gw.SignFlip(rate=1.0), seed=1)
    assert mutant.layers[-1].name == "mine"
    np.testing.assert_array_equal(np.asarray(mutant(X)), -X)


def test_a_method_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(self: Any, store: Any) -> None:
        raise KeyError("gone")

    monkeypatch.setattr(Scaled, "save_own_variables", failing)
    with pytest.raises(gw.UnsupportedError, match="the save_own_variables of class Scaled fails"):
        gw.mutate(net(), gw.SignFlip(rate=1.0), seed=1)
