"""Keras models for the tests; the whole folder is left out where Keras is not installed."""

from __future__ import annotations

import importlib.util
import os
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

_BACKENDS = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}
INSTALLED = tuple(name for name, module in _BACKENDS.items() if importlib.util.find_spec(module))
collect_ignore_glob: list[str] = []

if importlib.util.find_spec("keras") is None or not INSTALLED:
    collect_ignore_glob = ["test_*.py"]
else:
    os.environ.setdefault("KERAS_BACKEND", INSTALLED[0])
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Warnings of frameworks about themselves are theirs."""
    for item in items:
        if "backends/keras" in str(item.path):
            for module in ("tensorflow", "keras", "jax", "torch", "h5py", "google", "flatbuffers", "ml_dtypes"):
                item.add_marker(pytest.mark.filterwarnings(f"ignore::DeprecationWarning:{module}"))


@pytest.fixture
def keras() -> Any:
    import keras

    random.seed(7)
    keras.utils.set_random_seed(7)
    return keras


Make = Callable[[], Any]


@pytest.fixture
def classifier(keras: Any) -> Make:
    """A convolutional network with BatchNorm, Dropout, a shared layer and a nested model."""

    def make() -> Any:
        layers = keras.layers
        inputs = keras.Input((8, 8, 1), name="image")
        x = layers.Conv2D(4, 3, padding="same", name="conv")(inputs)
        x = layers.BatchNormalization(name="norm")(x)
        x = layers.ReLU(name="relu")(x)
        x = layers.Flatten(name="flat")(layers.Dropout(0.5, name="drop")(x))
        shared = layers.Dense(6, name="shared")
        inner = keras.Sequential([keras.Input((6,)), layers.Dense(5, name="out")], name="inner")
        outputs = layers.Add(name="add")([inner(shared(x)), inner(shared(layers.Activation("relu", name="act")(x)))])
        return keras.Model(inputs, outputs, name="classifier")

    return make


@pytest.fixture
def reader(keras: Any) -> Make:
    """An embedding, attention and a recurrent layer in both directions."""

    def make() -> Any:
        layers = keras.layers
        inputs = keras.Input((5,), dtype="int32", name="words")
        x = layers.Embedding(11, 6, name="embed")(inputs)
        x = layers.Add(name="sum")([x, layers.MultiHeadAttention(2, 3, name="attend", dropout=0.1)(x, x)])
        x = layers.LayerNormalization(name="norm")(x)
        x = layers.Bidirectional(layers.GRU(3, name="gru"), name="both")(x)
        return keras.Model(inputs, layers.Dense(2, name="out")(x), name="reader")

    return make


@pytest.fixture
def images() -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(0).normal(size=(6, 8, 8, 1)).astype(np.float32)


@pytest.fixture
def words() -> Any:
    return np.random.default_rng(0).integers(0, 11, (4, 5)).astype(np.int32)
