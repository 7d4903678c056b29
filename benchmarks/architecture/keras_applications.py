"""Every constructor of keras.applications (random weights, smallest input): what is kept, refused or wrong.

    KERAS_BACKEND=tensorflow python benchmarks/architecture/keras_applications.py [NAME ...] [--out table.md]

Each model is randomized first (random gains and statistics), so that no block is the identity by chance. Outputs are
compared in float64, on the TensorFlow backend, at batches of two; "kept" means a relative change of at most 1e-9.

weights  GaussianNoise: exactly the trainable variables change.
widen    Widen, at a width that the seed chooses: the outputs stay, and the model is larger.
insert   InsertLayer, at a place that the seed chooses: the outputs stay, and there is one layer more.
narrow   Widen and Narrow by the new units: the first bytes are back; or a refusal.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
import warnings
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
warnings.simplefilter("ignore")

import keras  # noqa: E402  # the backend is chosen first
import numpy as np  # noqa: E402  # the backend is chosen first

import genewright as gw  # noqa: E402  # the backend is chosen first
from genewright.backends import backend_of  # noqa: E402  # the backend is chosen first
from genewright.outputs import largest_change  # noqa: E402  # the backend is chosen first

SIZES = {"InceptionResNetV2": 75, "InceptionV3": 75, "Xception": 71, "NASNetLarge": 331, "NASNetMobile": 224}
SEED = 7


def names() -> list[str]:
    """Return the constructors."""
    every = (n for n in dir(keras.applications) if n[0].isupper())
    return [n for n in every if callable(getattr(keras.applications, n))]


def built(name: str) -> keras.Model:
    """Return a model for the smallest images."""
    size = SIZES.get(name, 32)
    return getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=10)


def wake(model: keras.Model) -> None:
    """Give norms and scales values, so that nothing is the identity by chance."""
    numbers = np.random.default_rng(SEED)
    network = backend_of(model).network(model)
    for name, member in network.members.items():
        tensor = network.tensors[name]
        if tensor.role == "norm_weight" or name.endswith("moving_variance"):
            member.variable.assign(numbers.uniform(0.5, 1.5, tensor.shape))
        elif tensor.role in ("norm_bias", "statistic"):
            member.variable.assign(0.1 * numbers.normal(size=tensor.shape))
        elif member.attribute == "gamma":
            member.variable.assign(numbers.uniform(0.1, 1.0, tensor.shape))


def checked(model: keras.Model, operator: gw.Operator, example: np.ndarray) -> tuple[str, keras.Model | None]:
    """Mutate; compare the outputs once more, here."""
    backend = backend_of(model)
    try:
        mutant = gw.mutate(model, operator, seed=SEED, example=example)
    except gw.GenewrightError as error:
        return f"refused: {str(error)[:120]}", None
    change = largest_change(backend.exact_outputs(model, example), backend.exact_outputs(mutant, example))
    return ("kept" if change <= 1e-9 else f"WRONG: {change:.1e}"), mutant


def weights_of(model: keras.Model) -> str:
    """Say whether exactly the trainable variables change, and come back."""
    network = backend_of(model).network(model)
    before = {name: hash(bytes(network.raw(name))) for name in network.tensors}
    trainable = {name for name, tensor in network.tensors.items() if tensor.trainable}
    with gw.mutated(model, gw.GaussianNoise(std=0.1), seed=SEED):
        changed = {name for name, digest in before.items() if hash(bytes(network.raw(name))) != digest}
    back = all(hash(bytes(network.raw(name))) == digest for name, digest in before.items())
    return "kept" if changed == trainable and back else "WRONG: other variables change, or the undo fails"


def row(name: str) -> list[str]:
    """Return the cells of a model."""
    model = built(name)
    wake(model)
    size = SIZES.get(name, 32)
    example = np.random.default_rng(1).uniform(0, 255, (2, size, size, 3)).astype(np.float32)
    found = [weights_of(model)]
    widened, mutant = checked(model, gw.Widen(num_units=1), example)
    if mutant is not None and mutant.count_params() <= model.count_params():
        widened = "WRONG: not larger"
    found.append(widened)
    narrowed = "refused: nothing was widened"
    if mutant is not None:
        layer = gw.recipe(mutant).steps[0].operator.layer
        knob = gw.knobs(mutant, example)[layer]
        try:
            back = gw.mutate(mutant, gw.Narrow(layer=layer, units=(knob.size - 1,)), seed=SEED)
            same = gw.fingerprint(back) == gw.fingerprint(model)
            narrowed = "kept" if same else "other bytes"
        except gw.GenewrightError as error:
            narrowed = f"refused: {str(error)[:120]}"
        del mutant
    inserted, mutant = checked(model, gw.InsertLayer(), example)
    if mutant is not None and len(mutant.layers) != len(model.layers) + 1:
        inserted = "WRONG: not one layer more"
    return [*found, inserted, narrowed]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--out")
    asked = parser.parse_args()
    lines: list[str] = []
    for name in asked.names or names():
        start = time.perf_counter()
        try:
            cells = row(name)
        except Exception as error:
            cells = [f"ERROR {type(error).__name__}: {str(error)[:200]}"] * 4
        lines.append(f"| {name} | {' | '.join(cells)} |")
        print(lines[-1], f"{time.perf_counter() - start:.0f}s", flush=True)
        keras.backend.clear_session()
        gc.collect()
    if asked.out:
        head = ["| model | weights | widen | insert | narrow |", "|---|---|---|---|---|"]
        Path(asked.out).write_text("\n".join([*head, *lines]) + "\n")
    sys.exit(any("WRONG" in line or "ERROR" in line for line in lines))


if __name__ == "__main__":
    main()
