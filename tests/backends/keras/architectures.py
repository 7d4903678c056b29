"""What becomes of one Keras model's architecture, on the backend of this process."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

import genewright as gw
from genewright.backends import backend_of
from genewright.outputs import largest_change

OPERATORS = {
    "widen": gw.Widen(layer="conv", num_units=2),
    "widen, chosen": gw.Widen(num_units=2, init="silent", placement="both"),
    "narrow": gw.Narrow(layer="hidden", num_units=2),
    "insert": gw.InsertLayer(after="relu"),
    "insert dense": gw.InsertLayer(
        after="hidden", layer={"class_name": "Dense", "config": {"units": 9, "activation": "relu"}}
    ),
    "insert, drawn": gw.InsertLayer(after="hidden", init="gate"),
    "remove": gw.RemoveLayer(layer="relu"),
    "activation": gw.ReplaceActivation(to="gelu"),
    "blend": gw.ReplaceActivation(to="gelu", blend=0.0),
    "skip": gw.AddSkip(start="across", end="hidden"),
    "grow": gw.GrowKernel(layer="conv"),
    "duplicate": gw.DuplicateBlock(block="second"),
}


def model() -> keras.Model:
    layers = keras.layers
    inputs = keras.Input((6, 6, 2), name="image")
    x = layers.Conv2D(4, 3, padding="valid", name="conv")(inputs)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.ReLU(name="relu")(x)
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="second")(x)
    x = layers.LayerNormalization(name="across")(layers.GlobalAveragePooling2D(name="pool")(x))
    x = layers.Dense(6, activation="relu", name="hidden")(x)
    made = keras.Model(inputs, layers.Dense(3, name="out")(x), name="net")
    numbers = np.random.default_rng(3)
    for name, member in backend_of(made).network(made).members.items():  # type: ignore[attr-defined]
        values = numbers.normal(size=member.variable.shape)
        member.variable.assign((np.abs(values) if name.endswith("variance") else values).astype(np.float32))
    return made


def told(one_in: int) -> dict[str, Any]:
    """Return what becomes of the model by one in so many of the operators."""
    base = model()
    batch = np.random.default_rng(0).normal(size=(3, 6, 6, 2)).astype(np.float32)
    backend = backend_of(base)
    before = backend.exact_outputs(base, batch)
    found = {}
    for case, operator in list(OPERATORS.items())[::one_in]:
        mutant = gw.mutate(base, operator, seed=5, example=batch)
        after = backend.exact_outputs(mutant, batch)
        with tempfile.TemporaryDirectory() as folder:
            mutant.save(Path(folder, "mutant.keras"))
            plain = keras.saving.load_model(Path(folder, "mutant.keras"))
        found[case] = {
            "print": gw.fingerprint(mutant),
            "recipe": gw.recipe(mutant).to_json(),
            "exact": after.exact,
            "change": largest_change(before, after),
            "keeps": "function" in operator.claims(),
            "saved": gw.fingerprint(plain) == gw.fingerprint(mutant),
            "largest": float(np.abs(np.asarray(keras.ops.convert_to_numpy(plain(batch)))).max()),
        }
    mutant = gw.mutate(base, OPERATORS["widen"], seed=5)
    mutant.compile("adam", "mse")
    mutant.fit(batch, np.zeros((3, 3), np.float32), verbose=0)
    kept = str(keras.backend.result_type("float64", "float64"))
    return {"backend": keras.backend.backend(), "exact": before.exact, "found": found, "result_type": kept}
