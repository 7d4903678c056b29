"""differential: the same mutants on several ways to run a network; where two of them disagree, and by which step."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genewright.backends import Backend, backend_of
from genewright.batches import Batch, batches, first_samples
from genewright.calls import Answering
from genewright.errors import DataError, GenewrightError, SettingError
from genewright.mutate import act
from genewright.mutation_testing.inconsistency import Inconsistency, Outputs, d_mad, error_of
from genewright.mutation_testing.mutants import Mutant, Mutants
from genewright.operator import AnyOperator
from genewright.seeding import Noise, Seed, seed_required
from genewright.settings import check_integer
from genewright.step import Step
from genewright.targets import as_classes, beside
from genewright.transaction import Transaction

Run = Callable[[Any, Any], Any]


@dataclass(frozen=True, kw_only=True)
class Differential(metaclass=Answering):
    """What `differential` found.

    Attributes:
        inconsistencies: Where two runs disagree, the worst first.
        mutants: How many mutants were run, the model itself not counted.
        refused: Numbers of the mutants that no run had to do with, for they could not be made.
    """

    inconsistencies: tuple[Inconsistency, ...]
    mutants: int
    refused: tuple[int, ...]

    def __str__(self) -> str:
        lines = [f"{self.mutants} mutants, {len(self.refused)} refused, {len(self.inconsistencies)} inconsistencies"]
        for one in self.inconsistencies:
            who = "the model" if one.mutant < 0 else f"mutant {one.mutant}"
            told = one.note or f"D_MAD {one.degree:.3f}, errors {one.errors[0]:.2g} and {one.errors[1]:.2g}"
            names = ", ".join(str(step["operator"]) for step in one.steps)
            lines.append(f"{who} ({names}): {one.kind} of {one.runs[0]} against {one.runs[1]}: {told}")
        return "\n".join(lines)


@seed_required("gw.differential([run_a, run_b], model, mutants, data, seed=1)")
def differential(
    runs: Sequence[Run] | Mapping[str, Run],
    model: Any,
    mutants: Mutants | AnyOperator,
    data: Any,
    *,
    seed: Seed,
    count: int = 50,
    threshold: float = 0.1,
    tolerance: float = 1e-3,
    batch_size: int = 64,
) -> Differential:
    """Run the same mutants in several ways, and say where two ways disagree: frameworks, compilers, devices.

    Of every two runs a mutant is inconsistent where one raises, where one has outputs that are not finite and the other
    has not, where shapes differ, and where for a sample D_MAD is above `threshold` and the outputs are apart by more
    than `tolerance`. D_MAD is relative: where both runs are close to the truth, rounding alone gives large degrees, so
    it does not suffice. Who is further from the outputs in float64 stands first. A mutant of several steps is shrunk
    to the fewest that still fail.

    Args:
        runs: Ways to run a model, by name or in a list: each takes (model, inputs) and returns its outputs.
        model: The network; it is not changed, mutants are copies.
        mutants: Which mutants; an operator alone stands for ``gw.Mutants(operator)``.
        data: One batch is used: samples, and targets for the truth that D_MAD measures against. Without targets that is
            what the mutant puts out in float64.
        seed: The seed of the mutants.
        count: How many.
        threshold: The degree from which on it counts, from 0 to 1.
        tolerance: Differences up to this, relative to the largest output, are rounding.
        batch_size: Samples of the batch.

    Returns:
        The inconsistencies; print it to read it.

    Raises:
        SettingError: There are fewer than two runs, or a setting is out of its range.
        DataError: There are no samples.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
        >>> runs = {"float32": lambda m, x: m(x), "bfloat16": lambda m, x: m.bfloat16()(x.bfloat16()).float()}
        >>> found = gw.differential(runs, net, gw.GaussianNoise(std=0.1), torch.randn(9, 4), seed=1, count=3)
        >>> {one.runs[0] for one in found.inconsistencies} <= {"bfloat16"}
        True

    References:
        Wang et al., "Deep Learning Library Testing via Effective Model Generation" (LEMON), ESEC/FSE 2020; its mutants
        have no float64 reference, and any mutant of ours can be made again from its recipe.
    """
    given = list(runs.values()) if isinstance(runs, Mapping) else list(runs)
    if not all(callable(run) for run in given):
        raise SettingError(
            "differential: a run is a function of (model, inputs) that returns outputs, such as lambda m, x: m(x); "
            f"received {next(run for run in given if not callable(run))!r}."
        )
    named = dict(runs) if isinstance(runs, Mapping) else _named(runs)
    if len(named) < 2:
        raise SettingError(
            f"differential: expected two or more runs, each callable(model, inputs); received {len(named)}."
        )
    if not 0 < threshold < 1 or not tolerance >= 0:
        raise SettingError(f"differential: 0 < threshold < 1 and tolerance >= 0; received {threshold}, {tolerance}.")
    check_integer("differential", "count", count, low=1)
    mutants = mutants if isinstance(mutants, Mutants) else Mutants(cast("Any", mutants))
    batch = next(iter(batches(data, batch_size=batch_size)), None)
    if batch is None:
        raise DataError("data: holds no samples.")
    bench = _Ways(named, model, batch, threshold, tolerance)
    planned = mutants.planned(model, seed=seed, example=bench.example)
    found = bench.look(-1, model, ())
    refused: list[int] = []
    for number in range(count):
        try:
            mutant, steps = bench.make(planned.mutant(number))
        except GenewrightError:
            refused.append(number)
            continue
        found += [bench.shrunk(one, steps) for one in bench.look(number, mutant, steps)]
    found.sort(key=lambda one: (-one.degree, one.mutant))
    return Differential(inconsistencies=tuple(found), mutants=count, refused=tuple(refused))


class _Ways:
    """The ways to run one model on one batch."""

    def __init__(self, runs: Mapping[str, Run], model: Any, batch: Batch, threshold: float, tolerance: float) -> None:
        self._runs = runs
        self._model = model
        self._backend: Backend = backend_of(model)
        self._inputs = batch.inputs
        self._targets = None if batch.targets is None else self._backend.numeric(batch.targets)
        self._threshold = threshold
        self._tolerance = tolerance
        self.example = first_samples(batch.inputs, 2)

    def make(self, mutant: Mutant) -> tuple[Any, tuple[Step, ...]]:
        """Return a mutant, and its steps."""
        with self._change() as change:
            act(change, (mutant.operator,), mutant.noise)
            return change.commit(), tuple(done.step for done in change.done)

    def look(self, number: int, model: Any, steps: tuple[Step, ...]) -> list[Inconsistency]:
        """Run a model in every way, each on a copy, and compare."""
        reference = self._backend.exact_outputs(self._backend.copy(model), self._inputs).tensors
        outputs: dict[str, Outputs | None] = {}
        raised: dict[str, str] = {}
        for name, run in self._runs.items():
            try:
                outputs[name] = _arrays(self._backend, run(self._backend.copy(model), self._inputs))
            except Exception as error:  # whatever a way to run raises
                lines = str(error).strip().splitlines() or [""]
                outputs[name], raised[name] = None, f"{type(error).__name__}: {lines[0]}"
        errors = {name: error_of(found, reference) for name, found in outputs.items()}
        forms = tuple(cast("Mapping[str, Any]", json.loads(json.dumps(step.to_json()))) for step in steps)
        found: list[Inconsistency] = []
        for pair in itertools.combinations(self._runs, 2):
            worse, better = sorted(pair, key=lambda name: (outputs[name] is not None, -errors[name]))
            kind, degree = self._disagreement(outputs[worse], outputs[better], reference)
            if kind is not None:
                note = raised.get(worse, "")
                found.append(
                    Inconsistency(
                        mutant=number, kind=kind, runs=(worse, better), degree=degree,
                        errors=(errors[worse], errors[better]), steps=forms, note=note,
                    )
                )  # fmt: skip
        return found

    def shrunk(self, failure: Inconsistency, steps: tuple[Step, ...]) -> Inconsistency:
        """Return the failure with the fewest steps that still give it."""
        if len(steps) < 2:
            return failure
        shorter = [(step,) for step in steps]
        shorter += [(*steps[:at], *steps[at + 1 :]) for at in range(len(steps)) if len(steps) > 2]
        for fewer in shorter:
            try:
                model = self._again(fewer)
            except GenewrightError:  # a step may need what one before it made
                continue
            for one in self.look(failure.mutant, model, fewer):
                if (one.kind, set(one.runs)) == (failure.kind, set(failure.runs)):
                    return self.shrunk(one, fewer)
        return failure

    def _again(self, steps: tuple[Step, ...]) -> Any:
        with self._change() as change:
            for step in steps:
                noise: Noise = step.noise()
                change.step(step.operator, noise, more=len(steps) > 1)
            change.finish()
            return change.commit()

    def _change(self) -> Transaction:
        return Transaction(self._backend, self._backend.copy(self._model), example=self.example)

    def _disagreement(self, one: Outputs | None, other: Outputs | None, exact: Outputs) -> tuple[Any, float]:
        if one is None or other is None:
            return (None, 0.0) if one is other else ("crash", 1.0)
        if [a.shape for a in one] != [b.shape for b in other]:
            return "shape", 1.0
        if any(
            (np.isfinite(a) != np.isfinite(b)).any() for a, b in zip(one, other, strict=True) if a.dtype.kind == "f"
        ):
            return "nonfinite", 1.0
        first, second = one[0], other[0]
        if not first.size or not np.isfinite(first).all() or error_of([first], [second]) <= self._tolerance:
            return None, 0.0
        degree = float(d_mad(first, second, self._truth(first, exact[0])).max())
        return ("distance", degree) if degree > self._threshold else (None, degree)

    def _truth(self, outputs: NDArray[Any], exact: NDArray[Any]) -> NDArray[Any]:
        if self._targets is None:
            return exact
        read = as_classes(outputs, self._targets)
        if read is not None and read[0].shape == outputs.shape:
            return np.eye(outputs.shape[-1])[read[1]]
        placed = beside(outputs, self._targets)
        return exact if placed is None else placed


def _arrays(backend: Backend, outputs: Any) -> Outputs:
    """Return outputs as arrays: one, or those of a tuple, list or dict."""
    if isinstance(outputs, Mapping):
        return [a for entry in cast("Mapping[Any, Any]", outputs).values() for a in _arrays(backend, entry)]
    if isinstance(outputs, tuple | list):
        return [a for entry in cast("Sequence[Any]", outputs) for a in _arrays(backend, entry)]
    return [np.asarray(backend.numeric(outputs))]


def _named(runs: Sequence[Run]) -> dict[str, Run]:
    """Return runs by the names of their functions, with their number where names are equal or missing."""
    names = [getattr(run, "__name__", type(run).__name__) for run in runs]
    return {
        f"{name} {at}" if name == "<lambda>" or names.count(name) > 1 else name: run
        for at, (name, run) in enumerate(zip(names, runs, strict=True))
    }
