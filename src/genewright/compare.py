"""compare: a mutant against its original, on data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.typing import NDArray

from genewright.assumed import Assumed
from genewright.backends import Backend, backend_of
from genewright.batches import Batch, batches, count, number_of_batches
from genewright.calls import answered
from genewright.distance import Decades, Distance, json_number
from genewright.errors import DataError, GenewrightError, SettingError
from genewright.interrupts import hearing
from genewright.metrics import Metrics, better_high, chosen, gauges, predictions
from genewright.names import did_you_mean
from genewright.showing import AFTER, BEFORE, Bar, Meter, Shown, bars, fragment, histogram, more_line

Numbers = NDArray[Any]


@dataclass(frozen=True)
class Measured:
    """A metric of the original (`before`) and of the mutant (`after`)."""

    before: float
    after: float


@dataclass(frozen=True, kw_only=True, repr=False)
class Comparison(Shown):
    """How far a mutant's outputs are from its original's. Sums are in float64.

    NaN and infinity: an output that is the same NaN or infinity in both counts as unchanged. One that is not finite in
    only one of them, or is another infinity, makes `largest_change` and `relative_error` infinite; it is left out of
    `mean_change`, which is the mean over the outputs that are finite in both (NaN where none is).

    Attributes:
        samples: Number of samples compared.
        largest_change: max |a - b| over all outputs, a the original's and b the mutant's.
        mean_change: mean |a - b|.
        relative_error: max |a - b| / max |a|, the latter over the finite a; 0 where nothing changed.
        agreement: Share of equal predictions (the largest along the last axis of the first output), or None where there
            is no class axis. A row with NaN predicts nothing.
        metrics: By name, before and after.
        new_nonfinite: Number of outputs that are finite in the original and NaN or infinite in the mutant.
        nonfinite: Number of outputs that are NaN or infinite in the original.
        changes: By k how many outputs changed by at least 10^k and less than 10^(k + 1); those that did not change, and
            those that are not finite in both, are in none.
    """

    made_by = "gw.compare(original, mutant, (X, y))"
    looked_for: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("accuracy", "loss"), "Metrics are held by name: .metrics['accuracy'].after (and .before)."),
        "passed": "Write .ok(1e-6), or .ok(accuracy_drop=0.01).",
        "diff": "Write .largest_change, .mean_change or .relative_error.",
    }

    samples: int
    largest_change: float
    mean_change: float
    relative_error: float
    agreement: float | None
    metrics: Mapping[str, Measured]
    new_nonfinite: int
    nonfinite: int
    changes: Mapping[int, int] = field(default_factory=dict[int, int], hash=False)

    def ok(self, tolerance: float | None = None, **drops: float) -> bool:
        """Whether the mutant is near enough: its outputs, and the metrics that are named.

        Args:
            tolerance: The largest relative error of the outputs, at least 0; by default any.
            **drops: By how much a metric may be worse, such as ``accuracy_drop=0.01``: one point of accuracy. Of a
                loss or an error worse is higher, of all else lower.

        Returns:
            Whether all hold and no output became NaN or infinite.

        Raises:
            SettingError: Nothing is asked for, a number is negative, or a metric was not measured or has a name of
                which we do not know whether worse is higher: compare `metrics[name].before` and `.after` yourself.
        """
        if not drops and tolerance is None:
            raise SettingError("Comparison.ok: say what is near enough: .ok(1e-6), or .ok(accuracy_drop=0.01).")
        tolerance = math.inf if tolerance is None else tolerance
        check_tolerance("Comparison.ok: tolerance", tolerance)
        near = self.relative_error <= tolerance and not self.new_nonfinite
        held = [self._dropped(name) <= most for name, most in _drops(drops).items()]  # all are asked, to refuse
        return near and all(held)

    def _dropped(self, name: str) -> float:
        """Return by how much a metric is worse."""
        if name not in self.metrics:
            raise SettingError(f"Comparison.ok: {name!r} was not measured. {did_you_mean(name, self.metrics)}")
        pair = self.metrics[name]
        high = better_high(name)
        if high is None:
            raise SettingError(
                f"Comparison.ok: whether {name!r} is worse when it falls is not known. Compare "
                f"metrics[{name!r}].before and .after."
            )
        worse = pair.before - pair.after if high else pair.after - pair.before
        return math.inf if math.isnan(worse) else worse

    def __bool__(self) -> bool:
        """Refuse: whether a mutant is near enough is for the user to say."""
        raise SettingError(
            "A comparison is neither true nor false. Write .ok(1e-6) for its outputs, or .ok(accuracy_drop=0.01)."
        )

    if not TYPE_CHECKING:  # a type checker says so itself

        def __lt__(self, other: Any) -> Any:
            """Refuse: which of its numbers is meant?"""
            raise SettingError("A comparison is no number. Compare .relative_error or .metrics, or write .ok(1e-6).")

        __le__ = __gt__ = __ge__ = __lt__

    def details(self) -> str:
        """Return the comparison in words, a line a measure."""
        return "\n".join(self._lines())

    def _repr_html_(self) -> str:
        measured = [
            bars(
                f"{name}: {pair.before:.4g} -> {pair.after:.4g}",
                [
                    Bar(name, ((abs(pair.before), BEFORE),), f"{pair.before:.4g}"),
                    Bar("->", ((abs(pair.after), AFTER),), f"{pair.after:.4g}"),
                ],
                full=1.0 if name == "accuracy" else None,
            )
            for name, pair in list(self.metrics.items())[:10]
        ]
        if self.agreement is not None:
            agreed = f"{self.agreement:.2%} agree"
            measured.append(bars(agreed, [Bar("predictions", ((self.agreement, AFTER),), agreed)], full=1.0))
        spread = ""
        if self.changes:
            low, high = min(self.changes), max(self.changes)
            counts = [self.changes.get(power, 0) for power in range(low, high + 1)]
            spread = histogram("outputs by how far they moved", counts, f"1e{low}", f"1e{high + 1}")
        words = "".join(more_line(line) for line in self._lines()[: 2 if self.new_nonfinite or self.nonfinite else 1])
        return fragment("Comparison of a mutant with its original", words, *measured, spread)

    def _lines(self) -> list[str]:
        rows = [
            (
                "outputs",
                f"largest change {self.largest_change:.4g}, mean {self.mean_change:.4g}, "
                f"relative error {self.relative_error:.4g} ({self.samples:,} samples)",
            )
        ]
        if self.new_nonfinite or self.nonfinite:
            rows.append(
                ("not finite", f"{self.nonfinite:,} outputs of the original, {self.new_nonfinite:,} new in the mutant")
            )
        if self.agreement is not None:
            rows.append(("predictions", f"{self.agreement:.2%} agree"))
        rows += [(name, f"{pair.before:.4g} -> {pair.after:.4g}") for name, pair in self.metrics.items()]
        width = max(len(name) for name, _ in rows)
        return [f"{name:<{width}}  {text}" for name, text in rows]

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as JSON holds it; what is not finite becomes "NaN", "Infinity" or "-Infinity"."""
        return {
            "samples": self.samples,
            "largest_change": json_number(self.largest_change),
            "mean_change": json_number(self.mean_change),
            "relative_error": json_number(self.relative_error),
            "agreement": self.agreement,
            "metrics": {
                name: {"before": json_number(pair.before), "after": json_number(pair.after)}
                for name, pair in self.metrics.items()
            },
            "new_nonfinite": self.new_nonfinite,
            "nonfinite": self.nonfinite,
            "changes": {f"1e{power}": count for power, count in self.changes.items()},
        }


@answered("gw.compare(original, mutant, (X, y))", {"*": "Data and targets are one argument, the tuple (X, y)."})
def compare(
    original: Any,
    mutant: Any,
    data: Any,
    *,
    metrics: Metrics | None = None,
    batch_size: int = 256,
    progress: bool = False,
) -> Comparison:
    """Run a mutant and its original on the same data and say how far apart they are.

    Both run in evaluation mode and keep their own mode; nothing of them or of the data is changed.

    Args:
        original: A model.
        mutant: Another, with outputs of the same shapes.
        data: An array or tensor X, a tuple (X, y), a dict of arrays, a DataLoader, or any iterable of batches, each x
            or (x, y). It is gone through once.
        metrics: "accuracy", "cross_entropy", "mse", "mae", several names, a function (outputs, targets) -> float that
            is called once with the outputs and targets of all batches as arrays, or a dict of such. Also a metric or
            loss of keras, torchmetrics, torch or sklearn.metrics: the number is the one that its library gives for
            the first output. By default accuracy, where the targets are classes: whole numbers, a column of them,
            one-hot rows, or zeros and ones beside single units (whose outputs are probabilities while all lie in
            [0, 1], else logits); for values, "mse". ``()`` is none.
        batch_size: Samples a batch, where arrays are split.
        progress: As in `gw.mutate`.

    Raises:
        DataError: There are no samples, a metric lacks its targets or does not take them, the output shapes differ, or
            a forward pass fails.
        SettingError: A metric is unknown.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(4, 3)
        >>> mutant = gw.mutate(net, gw.GaussianNoise(std=0.1), seed=1)
        >>> result = gw.compare(net, mutant, (torch.randn(20, 4), torch.randint(0, 3, (20,))))
        >>> result.samples, result.ok(1e-9), list(result.metrics)
        (20, False, ['accuracy'])
    """
    wanted = chosen(metrics)
    first, second = backend_of(original), backend_of(mutant)
    distance, decades, agreement = Distance(), Decades(), _Agreement()
    assumed = Assumed() if wanted is None else None
    pairs = {name: gauges(name, metric) for name, metric in (wanted or {}).items()}
    has_targets = False
    samples = 0
    with Meter("gw.compare", progress) as meter:
        parts = meter.each(batches(data, batch_size=batch_size), number_of_batches(data, batch_size=batch_size))
        for number, batch in enumerate(parts):
            before = _outputs(first, original, "original", batch, number)
            after = _outputs(second, mutant, "mutant", batch, number)
            _same_shapes(before, after)
            for a, b in zip(before, after, strict=True):
                distance.add(a, b)
                decades.add(a, b)
            agreement.add(before[0], after[0])
            samples += before[0].shape[0] if before[0].ndim else count(batch.inputs)
            targets = None if batch.targets is None else first.numeric(batch.targets)
            if targets is None:
                if pairs or has_targets:
                    what = f"the metric {next(iter(pairs))!r} needs targets" if pairs else "other batches have targets"
                    raise DataError(f"compare: {what}, and batch {number} has none. Give (X, y), or batches (x, y).")
                continue
            has_targets = True
            if assumed is not None:
                assumed.add((before[0], after[0]), targets)
            for of_original, of_mutant in pairs.values():
                of_original.add(before, targets)
                of_mutant.add(after, targets)
    if not samples:
        raise DataError("compare: the data holds no samples, so nothing can be compared.")
    metrics_found = {name: Measured(a.value(), b.value()) for name, (a, b) in pairs.items()}
    if assumed is not None and has_targets:
        name, *values = assumed.measured()
        metrics_found = {name: Measured(*values)}
    return Comparison(
        samples=samples,
        largest_change=distance.largest,
        mean_change=distance.mean(),
        relative_error=distance.relative(),
        agreement=agreement.share(),
        metrics=metrics_found,
        new_nonfinite=distance.new_nonfinite,
        nonfinite=distance.nonfinite,
        changes=decades.counts(),
    )


def check_tolerance(who: str, value: object) -> None:
    """Refuse what is no number of at least 0; ``math.inf`` is one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise SettingError(f"{who} must be a number of at least 0; received {value!r}.")


def _drops(given: Mapping[str, float]) -> dict[str, float]:
    """Return the largest drops by the metrics' names."""
    found: dict[str, float] = {}
    for key, value in given.items():
        if not key.endswith("_drop"):
            raise SettingError(
                f"Comparison.ok has no argument {key!r}. Write .ok(tolerance), or .ok(accuracy_drop=0.01)."
            )
        check_tolerance(f"Comparison.ok: {key}", value)
        found[key.removesuffix("_drop")] = value
    return found


class _Agreement:
    """The share of equal predictions, counted batch by batch."""

    def __init__(self) -> None:
        self._equal = 0
        self._count = 0

    def add(self, before: Numbers, after: Numbers) -> None:
        first, second = predictions(before), predictions(after)
        if first is not None and second is not None:
            self._equal += int((first == second).sum())
            self._count += first.size

    def share(self) -> float | None:
        return self._equal / self._count if self._count else None


@hearing
def _outputs(backend: Backend, model: Any, who: str, batch: Batch, number: int) -> list[Numbers]:
    try:
        outputs = backend.predict(model, batch.inputs)
    except GenewrightError:
        raise
    except Exception as error:  # whatever the model's own code raises
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise DataError(f"compare: the {who} cannot take batch {number}: {lines[0]}") from error
    if not outputs:
        raise DataError(f"compare: the {who} returns no tensors.")
    return outputs


def _same_shapes(before: list[Numbers], after: list[Numbers]) -> None:
    shapes = [a.shape for a in before], [b.shape for b in after]
    if shapes[0] != shapes[1]:
        raise DataError(
            f"compare: the outputs differ in shape: {_said(shapes[0])} of the original, "
            f"{_said(shapes[1])} of the mutant. Compare models with the same outputs."
        )


def _said(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join(map(str, shapes))
