"""Fitness on samples with targets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from genewright.backends import backend_of
from genewright.batches import batches
from genewright.errors import SettingError
from genewright.example import example_fingerprint
from genewright.fitness.fitness import Fitness, Individuals, signature_of
from genewright.fitness.near_ties import are_choices, near_ties
from genewright.foreign_metrics import library_of, name_of
from genewright.metrics import FOREIGN, NAMED, MetricFunction, better_high, chosen, gauges
from genewright.seeding import Noise
from genewright.settings import check_integer

LESS_IS_BETTER = ("cross_entropy", "mae", "mse")


@dataclass(frozen=True, eq=False)
class Supervised(Fitness):
    """Judge a model by a metric of its outputs against targets.

    A metric of which less is better (a loss) counts with its sign turned: more is better in every fitness. The model is
    evaluated in evaluation mode, without gradients.

    Args:
        x: Samples along the first axis: an array or tensor, or a tuple or dict of these.
        y: A target for each.
        metric: "accuracy", "cross_entropy" (of logits), "mse" or "mae"; or a function (outputs, targets) -> float, of
            which more is better. A metric or loss of keras, torchmetrics, torch or sklearn.metrics counts as its name
            tells.
        batch: Samples a batch, at least 1.

    Raises:
        SettingError: There is no such metric, or a library's own of which it is not known whether more is better.
        DataError: In a run, the data does not fit the model.

    Example:
        >>> import torch, genewright as gw
        >>> x, y = torch.eye(3), torch.tensor([0, 1, 2])
        >>> net = torch.nn.Linear(3, 3)
        >>> fitness = gw.fitness.Supervised(x, y, "accuracy")
        >>> fitness(gw.mutate(net, gw.SetWeights(values=(1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0)), seed=1))
        1.0
    """

    judges_outputs: ClassVar[bool] = True  # pyright: ignore[reportIncompatibleVariableOverride]

    x: Any = field(repr=False)
    y: Any = field(repr=False)
    metric: str | MetricFunction = "accuracy"
    batch: int = 256

    def __post_init__(self) -> None:
        if not isinstance(self.metric, str) and not callable(self.metric):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SettingError(
                f"Supervised: metric is one of {', '.join(NAMED)}, or a function (outputs, targets) -> float; received "
                f"{self.metric!r}."
            )
        chosen(self.metric)
        self._less_is_better()  # refused here, not in the middle of a run
        check_integer(self, "batch", self.batch, low=1)

    @property
    def counts_decisions(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether the metric counts decisions."""
        return self.metric == "accuracy"

    def evaluate(self, model: Any, noise: Noise) -> float:
        backend = backend_of(model)
        measured, _ = gauges("metric", self.metric)
        for part in batches((self.x, self.y), batch_size=self.batch):
            measured.add(backend.predict(model, part.inputs), backend.numeric(part.targets))
        return self._turned(measured.value())

    def evaluate_all(self, individuals: Individuals, noise: Noise) -> list[Any]:
        measured = [gauges("metric", self.metric)[0] for _ in range(len(individuals))]
        for part in batches((self.x, self.y), batch_size=self.batch):
            outputs, targets = individuals.predict(part.inputs), numeric(part.targets)
            decides = self.counts_decisions and are_choices(outputs[0])
            near = set[int](np.flatnonzero(near_ties(outputs[0]).any(axis=1)).tolist()) if decides else set[int]()
            for at, gauge in enumerate(measured):
                mine = [output[at] for output in outputs]
                if at in near:
                    model = individuals.model(at)
                    mine = backend_of(model).predict(model, part.inputs)
                gauge.add(mine, targets)
        return [self._turned(gauge.value()) for gauge in measured]

    def _turned(self, value: float) -> float:
        return -value if self._less_is_better() else value

    def _less_is_better(self) -> bool:
        if isinstance(self.metric, str) or library_of(self.metric) not in FOREIGN:
            return self.metric in LESS_IS_BETTER
        high = better_high(name_of(self.metric))
        if high is None:
            raise SettingError(
                f"Supervised: whether more of {name_of(self.metric)!r} is better is not known. Give a function of "
                "which more is better: lambda outputs, targets: ..."
            )
        return not high

    def signature(self) -> str:
        metric = self.metric if isinstance(self.metric, str) else signature_of(self.metric)
        return f"Supervised({example_fingerprint((self.x, self.y), numeric)}, {metric})"


def numeric(value: Any) -> Any:
    """Return an array of any framework as NumPy's."""
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
