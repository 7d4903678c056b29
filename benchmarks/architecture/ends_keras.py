"""Coverage of the operators at a model's ends on keras.applications: classes and image channels grow, and shrink back.

    KERAS_BACKEND=tensorflow python benchmarks/architecture/ends_keras.py [NAME ...]

Models, example and float64 are those of keras_applications.py, what counts as kept is that of ends.py: an input that
the operator has not seen, of another batch size, gives what it gave, less than 1e-9 of the largest output apart. The
classes go through a softmax, so their ratios are compared: old ones divided by the sum of the old ones. A vocabulary
must be refused. One line of JSON a model goes to results/ends-keras.jsonl; models that are there already are left out.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_applications as zoo  # chooses Keras's backend, so it is first
from judging import EXACT, LIMIT, TooLongError, change_of_old_part, limited, lines_of

import keras  # isort: skip
import numpy as np  # isort: skip

import genewright as gw  # isort: skip

RESULTS = Path(__file__).parent / "results" / "ends-keras.jsonl"


def outputs(model: Any, images: np.ndarray) -> list[np.ndarray]:
    """Return the outputs of a float64 copy, built from the configuration by Keras alone."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        config = _doubled(keras.saving.serialize_keras_object(model))
        double = keras.saving.deserialize_keras_object(config)
        double.set_weights([np.asarray(weight, np.float64) for weight in model.get_weights()])
        return [np.asarray(double(images.astype(np.float64), training=False))]
    finally:
        keras.config.set_dtype_policy(before)


def _doubled(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _doubled(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_doubled(one) for one in value]
    return "float64" if value == "float32" else value


def judged(before: list[np.ndarray], after: list[np.ndarray], added: int) -> str:
    """Return "kept: change" or "WRONG: why"."""
    change, grown = change_of_old_part(before, after, added)
    if not change <= EXACT:
        return f"WRONG: the outputs change by {change:.2g}"
    return f"kept: {change:.2g}" if grown or not added else "WRONG: no output is longer"


def back(model: Any, mutant: Any, operator: gw.Operator, example: np.ndarray) -> str:
    """Say whether shrinking gives the first fingerprint back."""
    try:
        shrunk = gw.mutate(mutant, operator, seed=2, example=example)
    except gw.GenewrightError as error:
        return f"; back refused: {error}"
    return "" if gw.fingerprint(shrunk) == gw.fingerprint(model) else "; WRONG: other bytes after shrinking"


def classes(model: Any, example: np.ndarray, unseen: np.ndarray) -> str:
    """Grow the classes by two."""
    layer, size = _last_with_weights(model), model.output_shape[-1]
    mutant = gw.mutate(model, gw.GrowOutputs(layer, num_units=2), seed=1, example=example)
    before, after = outputs(model, unseen), outputs(mutant, unseen)
    ratios = [np.concatenate([y / y[..., :size].sum(-1, keepdims=True)], -1) for y in after]
    return judged(before, ratios, 2) + back(model, mutant, gw.ShrinkOutputs(layer, units=(size, size + 1)), example)


def _last_with_weights(model: Any) -> str:
    return next(layer.name for layer in reversed(model.layers) if layer.weights)


def channels(model: Any, example: np.ndarray, unseen: np.ndarray) -> str:
    """Grow the channels of the image by one, which is drawn."""
    mutant = gw.mutate(model, gw.GrowInputs(num_units=1, init="zero"), seed=1, example=example)
    drawn = np.random.default_rng(3).uniform(0, 255, (*unseen.shape[:-1], 1)).astype(np.float32)
    said = judged(outputs(model, unseen), outputs(mutant, np.concatenate([unseen, drawn], -1)), 0)
    wider = np.concatenate([example, example[..., :1]], -1)
    return said + back(model, mutant, gw.ShrinkInputs(units=(example.shape[-1],)), wider)


def vocabulary(model: Any, example: np.ndarray, unseen: np.ndarray) -> str:
    """Expect a refusal: these models have no words."""
    try:
        gw.mutate(model, gw.ResizeVocabulary(), seed=1, example=example)
    except gw.GenewrightError:
        return "none"
    return "WRONG: this model has no words"


def attempted(trial: Callable[..., str], *given: Any) -> str:
    """Return what is said of one end."""
    try:
        return trial(*given)
    except gw.GenewrightError as error:
        return f"refused: {error}"
    except Exception as error:
        return f"WRONG: {type(error).__name__}: {error}".splitlines()[0][:200]


def measured(name: str) -> dict[str, Any]:
    """Return the line of one model."""
    began = time.process_time()
    row: dict[str, Any] = {"library": "keras", "name": name, "group": name, "built": "", "ends": {}}
    try:
        with limited(LIMIT):
            model = zoo.built(name)
            zoo.wake(model)
            drawn = np.random.default_rng(1).uniform(0, 255, (3, *model.input_shape[1:])).astype(np.float32)
            for trial in (classes, channels, vocabulary):
                row["ends"][trial.__name__] = "begun"
                row["ends"][trial.__name__] = attempted(trial, model, drawn[:1], drawn[1:])
    except TooLongError:
        unfinished = f"unfinished: {LIMIT:.0f} s of processor time"
        row["ends"] = {end: unfinished if said == "begun" else said for end, said in row["ends"].items()}
    row["seconds"] = round(time.process_time() - began, 1)
    keras.backend.clear_session()
    gc.collect()
    return row


def main() -> None:
    """Run, and write a line a model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    asked = parser.parse_args()
    lines_of(RESULTS, asked.names or zoo.names(), measured, lambda row: f"{row['seconds']:6.1f} s  {row['ends']}")


if __name__ == "__main__":
    main()
