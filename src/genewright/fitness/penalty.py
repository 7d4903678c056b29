"""What a model costs: its size, its multiplications, its time."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import Any, Literal

from genewright.backends import backend_of
from genewright.costing import cost
from genewright.errors import SettingError
from genewright.example import example_fingerprint
from genewright.fitness.fitness import Fitness
from genewright.fitness.supervised import numeric
from genewright.seeding import Noise
from genewright.settings import check_choice, check_integer, check_nonnegative

KINDS = ("size", "macs", "latency")


@dataclass(frozen=True, eq=False)
class Penalty(Fitness):
    """Judge a model by what it costs, with the sign turned: -weight * cost.

    Args:
        cost: "size": elements of its trainable tensors, a tied one once. "macs": multiplications of one forward pass on
            `example`, as `gw.cost` counts them. "latency": seconds of one forward pass
            on `example`, the median of several; they differ from run to run, but what was measured is kept in the
            store.
        weight: Factor of the cost, at least 0.
        example: A sample input, for "macs" and "latency".
        runs: How many passes the latency is measured over, after one that is not counted.

    Raises:
        SettingError: A setting is out of its range, or the example is missing.
        UnsupportedError: In a run, "macs" of a model that `gw.cost` cannot count.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(3, 2)
        >>> gw.fitness.Penalty("size")(net), gw.fitness.Penalty("macs", example=torch.ones(5, 3))(net)
        (-8.0, -30.0)
    """

    cost: Literal["size", "macs", "latency"]
    weight: float = 1.0
    example: Any = field(default=None, repr=False)
    runs: int = 5

    def __post_init__(self) -> None:
        check_choice(self, "cost", self.cost, KINDS)
        check_nonnegative(self, "weight", self.weight)
        check_integer(self, "runs", self.runs, low=1)
        if self.cost != "size" and self.example is None:
            raise SettingError(
                f"Penalty: {self.cost} needs a sample input. Write gw.fitness.Penalty({self.cost!r}, example=x)."
            )

    def evaluate(self, model: Any, noise: Noise) -> float:
        return -self.weight * {"size": self._size, "macs": self._macs, "latency": self._latency}[self.cost](model)

    def signature(self) -> str:
        words = super().signature()
        return words if self.cost == "size" else f"{words[:-1]}, example={example_fingerprint(self.example, numeric)})"

    def _size(self, model: Any) -> float:
        tensors = backend_of(model).network(model).tensors.values()
        return float(sum(tensor.size for tensor in tensors if tensor.trainable))

    def _macs(self, model: Any) -> float:
        macs = cost(model, self.example).macs
        assert macs is not None  # with an example it counts them, or refuses
        return float(macs)

    def _latency(self, model: Any) -> float:
        backend = backend_of(model)
        backend.predict(model, self.example)
        seconds: list[float] = []
        for _ in range(self.runs):
            start = time.perf_counter()
            backend.predict(model, self.example)
            seconds.append(time.perf_counter() - start)
        return statistics.median(seconds)
