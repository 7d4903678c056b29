"""Run by test_keras.py in a process of its own, with KERAS_BACKEND=jax: what comes of populations of Keras models."""

import json
import logging
from typing import Any

import keras
import numpy as np

import genewright as gw

X = np.random.default_rng(0).normal(size=(20, 8)).astype("float32")
NOISE = gw.GaussianNoise(std=0.1)


@keras.saving.register_keras_serializable()
class Looking(keras.Model):
    """Looks at values, which a compiled pass has not yet."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.dense = keras.layers.Dense(3)

    def build(self, input_shape: Any) -> None:
        self.dense.build(input_shape)

    def call(self, inputs: Any) -> Any:
        made = self.dense(inputs)
        return made if float(keras.ops.sum(inputs)) > -1e9 else -made


def networks() -> dict[str, Any]:
    layers, made = keras.layers, Looking()
    made.build((None, 8))
    dense = [layers.Dense(16, activation="tanh"), layers.BatchNormalization(), layers.Dropout(0.5), layers.Dense(3)]
    recurrent = [layers.Reshape((4, 2)), layers.LSTM(5), layers.Dense(3)]
    kinds = {"dense": dense, "recurrent": recurrent}
    return {n: keras.Sequential([layers.Input((8,)), *ones]) for n, ones in kinds.items()} | {"looking": made}


def judged(model: Any) -> dict[str, Any]:
    people = gw.population(model, NOISE, range(6))
    outputs, own = np.array(people(X)), np.array(people.each(np.stack([X] * 6)))
    mutants = [gw.mutate(model, NOISE, seed=seed) for seed in range(6)]
    alone = np.stack([np.array(mutant(X, training=False)) for mutant in mutants])
    small = np.array(gw.population(model, NOISE, range(6), memory="12 KB")(X))
    again = np.array(gw.population(model, NOISE, range(3, 9), like=people)(X))
    judge = gw.fitness.Supervised(X, np.arange(20) % 3, "accuracy")
    return {
        "bytes": [gw.fingerprint(people.model(at)) for at in range(6)] == [gw.fingerprint(one) for one in mutants],
        "moved": float(np.abs(alone - alone[:1]).max()),
        "off": [float(np.abs(one - alone).max()) for one in (outputs, own, small)],
        "again": float(np.abs(again[:3] - alone[3:]).max()),
        "fitness": gw.evaluate(model, NOISE, range(6), judge) == [judge(one) for one in mutants],
    }


def refusals(model: Any) -> list[str]:
    said: list[str] = []
    for call in (
        lambda: gw.population(model, NOISE, range(6), memory=100)(X),
        lambda: gw.population(model, gw.Widen(model.layers[0].name), range(6)),
        lambda: gw.population(model, NOISE, range(6)).each(np.stack([X] * 5)),
    ):
        try:
            call()
        except gw.GenewrightError as error:
            said.append(f"{type(error).__name__}: {error}")
    return said


if __name__ == "__main__":
    logged: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: logged.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("genewright").addHandler(handler)
    made = networks()
    found = {name: judged(model) for name, model in made.items()}
    print(json.dumps({"found": found, "said": refusals(made["dense"]), "logged": logged}))
