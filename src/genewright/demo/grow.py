"""Changing the architecture of the trained network: wider, narrow again, deeper; and training what has grown."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from genewright.backends import backend_of
from genewright.compare import compare
from genewright.demo.data import Digits
from genewright.demo.framework import Framework
from genewright.demo.tell import Tell
from genewright.errors import FingerprintError
from genewright.mutate import fingerprint, mutate
from genewright.operators.architecture.insert_layer import InsertLayer
from genewright.operators.architecture.narrow import Narrow
from genewright.operators.architecture.widen import Widen
from genewright.seeding import Seed

LAYER, UNITS, ADDED = "conv2", 32, 16
WIDER = Widen(layer=LAYER, num_units=ADDED)
NARROW_AGAIN = Narrow(layer=LAYER, units=tuple(range(UNITS, UNITS + ADDED)))
DEEPER = InsertLayer(after="pool", activation="ReLU")
PLAIN = Widen(layer=LAYER, num_units=ADDED, init="noise", placement="both")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One network of this part.

    Attributes:
        name: What was done.
        parameters: How many trainable values it has.
        relative_error: Largest change of an output on the held-out images, relative to the largest output.
        accuracy: On the held-out images.
        cross_entropy: On the held-out images.
        trained: Training has gone on, so that the outputs are meant to differ.
    """

    name: str
    parameters: int
    relative_error: float
    accuracy: float
    cross_entropy: float
    trained: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the stage as JSON holds it."""
        return asdict(self)


def grow(model: Any, digits: Digits, framework: Framework, seed: Seed, tell: Tell) -> tuple[Any, list[Stage]]:
    """Return the grown network (wider and deeper, not trained yet), and all stages.

    Raises:
        FingerprintError: Narrowing by the units that were added did not bring the first bytes back.
    """
    example = digits.held_images[:8]
    wider = mutate(model, WIDER, seed=seed, example=example)
    back = mutate(wider, NARROW_AGAIN, seed=seed, example=example)
    if fingerprint(back) != fingerprint(model):
        raise FingerprintError(f"Narrowed again it is {fingerprint(back)}, before it was {fingerprint(model)}.")
    grown = mutate(wider, DEEPER, seed=seed, example=example)
    plain = mutate(model, PLAIN, seed=seed, example=example)
    made = {
        "as trained": model,
        "wider": wider,
        "narrow again": back,
        "wider and deeper": grown,
        "wider, the plain way": plain,
    }
    stages = [_stage(name, model, each, digits) for name, each in made.items()]
    for name, each in (("as trained, trained on", model), ("wider and deeper, trained on", grown)):
        further = framework.train_further(backend_of(each).copy(each), digits, seed, tell)
        stages.append(_stage(name, model, further, digits, trained=True))
    return grown, stages


def _stage(name: str, original: Any, model: Any, digits: Digits, *, trained: bool = False) -> Stage:
    data = digits.held_images, digits.held_labels
    found = compare(original, model, data, metrics=("accuracy", "cross_entropy"))
    return Stage(
        name=name,
        parameters=sum(t.size for t in backend_of(model).network(model).tensors.values() if t.trainable),
        relative_error=found.relative_error,
        accuracy=found.metrics["accuracy"].after,
        cross_entropy=found.metrics["cross_entropy"].after,
        trained=trained,
    )
