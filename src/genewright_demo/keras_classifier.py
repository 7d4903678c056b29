"""The demo's network in Keras, and its training: the only part of the demo that draws from Keras's own generators."""

from __future__ import annotations

import importlib
import math
import os
import random
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import numpy as np

import genewright as gw
from genewright.noise import derive
from genewright_demo.console import Console
from genewright_demo.digits import Digits, Seed

_BATCH = 64
_RATE = 3e-3
_FURTHER = 5
_LOWER_RATE = 1e-3
_FAR_TOO_HIGH_RATE = 0.05
_BADLY = 2


def _imported() -> Any:  # Any: Keras ships no complete types, and a checker need not have it installed
    try:
        return importlib.import_module("keras")
    except Exception as error:  # whatever a backend that is missing or broken raises
        named = os.environ.get("KERAS_BACKEND", "its default")
        reason = " ".join(str(error).split())[:300]
        raise gw.UnsupportedError(
            f"Keras does not start with the backend {named} ({reason}). Set KERAS_BACKEND to tensorflow, jax or torch, "
            "whichever is installed."
        ) from error


keras: Any = _imported()


def classifier() -> Any:
    """Return a small convolutional network for 8x8 grey images of the ten digits: (n, 8, 8, 1) to (n, 10) logits."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            layers.Conv2D(16, 3, padding="same", name="conv1"),
            layers.BatchNormalization(name="norm1"),
            layers.ReLU(name="relu1"),
            layers.Conv2D(32, 3, padding="same", name="conv2"),
            layers.BatchNormalization(name="norm2"),
            layers.ReLU(name="relu2"),
            layers.MaxPooling2D(2, name="pool"),
            layers.Flatten(name="flatten"),
            layers.Dense(64, activation="relu", name="hidden"),
            layers.Dropout(0.3, name="dropout"),
            layers.Dense(10, name="output"),
        ],
        name="digits_classifier",
    )


def parameters(model: Any) -> int:
    """Return how many values training changes."""
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def train(digits: Digits, seed: Seed, console: Console, epochs: int) -> Any:
    """Return a classifier trained on the training images: Adam with a cosine schedule, cross-entropy.

    Python's and NumPy's generators are seeded for this alone, and are afterwards as they were.
    """
    with _seeded(seed, "training"):
        model = classifier()
        _fit(model, digits, console, epochs=epochs, rate=_RATE)
        return model


def train_further(model: Any, digits: Digits, seed: Seed, console: Console) -> Any:
    """Train a mutant a little further, in place, in the same way, at a lower rate; return it."""
    with _seeded(seed, "training further"):
        _fit(model, digits, console, epochs=_FURTHER, rate=_LOWER_RATE)
        return model


def train_badly(digits: Digits, seed: Seed, console: Console) -> Any:
    """Return a classifier trained for a moment at a rate that is far too high."""
    with _seeded(seed, "training badly"):
        model = classifier()
        _fit(model, digits, console, epochs=_BADLY, rate=_FAR_TOO_HIGH_RATE)
        return model


def _fit(model: Any, digits: Digits, console: Console, *, epochs: int, rate: float) -> None:
    steps = epochs * -(-len(digits.images) // _BATCH)
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(schedule), loss=loss, metrics=["accuracy"])
    for _ in console.track(range(epochs), "Training", epochs):
        model.fit(digits.images, digits.labels, batch_size=_BATCH, epochs=1, verbose=0)


@contextmanager
def _seeded(seed: Seed, name: str) -> Generator[None]:
    kept = random.getstate(), np.random.get_state()  # noqa: NPY002  # Keras draws from it
    try:
        keras.utils.set_random_seed(derive(seed, name=name, path="/demo").key % 2**32)
        yield
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])  # noqa: NPY002
