"""The fingerprints of mutants of one Keras model, on the backend of this process."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

import genewright as gw
from genewright.backends import backend_of

OPERATORS = (
    gw.GaussianNoise(std=0.1, rate=0.3, relative_to="tensor"),
    gw.GaussianNoise(std=0.01, where=gw.where(layers="Dense", roles="kernel")),
    gw.CauchyNoise(scale=0.01),
    gw.FactorNoise(std=0.2, where="*.kernel"),
    gw.BitFlip(rate=0.05, bits=("mantissa",)),
    gw.SignFlip(rate=0.5),
    gw.Zero(rate=0.25, where="*norm*"),
)


def model() -> keras.Model:
    layers = keras.layers
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, name="conv")(inputs)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Flatten()(layers.Dropout(0.5)(x))
    inner = keras.Sequential([keras.Input((144,)), layers.Dense(5, name="out")], name="inner")
    made = keras.Model(inputs, inner(x))
    numbers = np.random.default_rng(3)
    for tensor in backend_of(made).network(made).members.values():  # type: ignore[attr-defined]
        tensor.variable.assign(numbers.normal(size=tensor.variable.shape).astype(np.float32))
    return made


def told() -> dict[str, Any]:
    base = model()
    prints = [gw.fingerprint(gw.mutate(base, operator, seed=i)) for i, operator in enumerate(OPERATORS)]
    names = [
        [t.name, list(t.shape), t.trainable, t.layer_type] for t in backend_of(base).network(base).tensors.values()
    ]
    return {"backend": keras.backend.backend(), "prints": prints, "names": names}
