"""What of the demo differs between frameworks."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from genewright.demo.data import Digits
from genewright.demo.tell import Tell
from genewright.seeding import Seed

Train = Callable[[Digits, Seed, Tell, int], Any]
TrainFurther = Callable[[Any, Digits, Seed, Tell], Any]


@dataclass(frozen=True, kw_only=True)
class Framework:
    """How the demo trains with a framework.

    Attributes:
        name: "torch" or "keras".
        train: Trains the network, for a number of epochs.
        train_further: Trains a network a little further, in place, and returns it.
        example: The shape of an input, as the command takes it.
        one_thread: Within it, the framework computes on one thread, where that can be said.
        channels_last: Images are (n, 8, 8, 1).
        factory: What makes the model on the command line; None where files hold whole models.
    """

    name: str
    train: Train
    train_further: TrainFurther
    example: str
    one_thread: Callable[[], AbstractContextManager[Any]] = nullcontext
    channels_last: bool = False
    factory: str | None = None

    def laid_out(self, digits: Digits) -> Digits:
        """Return the digits with their axes as the framework has them."""
        if not self.channels_last:
            return digits
        images, held = (np.ascontiguousarray(np.moveaxis(x, 1, -1)) for x in (digits.images, digits.held_images))
        return dataclasses.replace(digits, images=images, held_images=held)


def framework_called(name: str) -> Framework:
    """Return a framework, imported."""
    if name == "keras":
        keras: Any = importlib.import_module("genewright.demo.train_keras")
        return Framework(
            name=name, train=keras.train, train_further=keras.train_further, example="1x8x8x1", channels_last=True
        )
    torch: Any = importlib.import_module("genewright.demo.train")
    return Framework(
        name=name,
        train=torch.train,
        train_further=torch.train_further,
        example="1x1x8x8",
        one_thread=importlib.import_module("genewright.demo.threads").one_thread,
        factory="genewright.demo.model:DigitsClassifier",
    )
