"""What a Keras model returns is compared whatever holds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import genewright as gw
from tests.test_transaction import LyingNoise


@dataclass
class Answer:
    """What some people's models return."""

    logits: Any
    name: str = "answer"


def test_a_dataclass_is_compared_by_its_fields(keras: Any) -> None:
    class Net(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(3)

        def call(self, x: Any) -> Any:
            return Answer(self.dense(x))

        def compute_output_spec(self, x: Any, **kwargs: Any) -> Any:
            return keras.KerasTensor((4, 3))

    batch = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    model = Net()
    model(batch)
    with gw.mutated(model, gw.GaussianNoise(0.5), seed=1) as mutant:
        changed = np.asarray(keras.ops.convert_to_numpy(mutant(batch).logits))
    assert np.abs(changed - keras.ops.convert_to_numpy(model(batch).logits)).max() > 0.1
    with pytest.raises(gw.FunctionError), gw.mutated(model, LyingNoise(), seed=1, example=batch):
        pass
