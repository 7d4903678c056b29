"""fault_rate: which share of all single faults does harm? Statistical fault injection."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.errors import SettingError
from genewright.mutation_testing.bench import Bench
from genewright.mutation_testing.fault_population import FaultTensor
from genewright.mutation_testing.fault_record import Effect, Faults
from genewright.mutation_testing.fault_report import FaultRate
from genewright.mutation_testing.fault_sample import Look, check_margin, looks
from genewright.mutation_testing.fault_share import FaultShare
from genewright.mutation_testing.fault_units import FaultUnits
from genewright.mutation_testing.mutants import Mutant, Mutants, PlannedMutants
from genewright.mutation_testing.outcome import Outcome
from genewright.mutation_testing.site import Site
from genewright.mutation_testing.trial import Trial
from genewright.network import Network
from genewright.noise import distinct
from genewright.operators.weights.bit_flip import BitFlip
from genewright.operators.weights.elementwise import Elementwise
from genewright.operators.weights.fault_at import FaultAt
from genewright.operators.weights.places import Places, Stretch
from genewright.operators.weights.stuck_at import StuckAt
from genewright.seeding import Noise, Seed, seed_required, seed_to_json

_AT_ONCE = 500  # faults whose samples are kept


@seed_required("gw.fault_rate(model, (x_test, y_test), gw.BitFlip(count=1), seed=1)")
def fault_rate(
    model: Any,
    data: Any,
    operator: Elementwise | None = None,
    *,
    seed: Seed,
    margin: float = 0.01,
    confidence: float = 0.99,
    sequential: bool = True,
    tolerance: float = 0.0,
    batch_size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> FaultRate:
    """Say which share of all single faults in a model's weights does harm on data, to within a margin.

    All faults that `operator` can make are numbered (every bit of every chosen weight: 210,240 of a perceptron with
    6,570 weights). Different ones are drawn by the seed, each is injected, run on all data and taken back. The interval
    is exact, for a population of that size. It is looked at after an eighth, a quarter, half and all of the faults that
    the worst case takes, each time with a part of the error that is allowed, and the run ends at the first look at
    which the interval is narrow enough: how often it is looked at costs no confidence.

    A fault fails if the prediction of a sample differs from the original's (of values: if an output moves by more than
    `tolerance`), if an output becomes NaN or infinite, or if the model raises.

    Args:
        model: A torch module or a Keras model. It is mutated in place, and is as it was at the end.
        data: Samples, and their targets if there are any: as `gw.compare` takes them.
        operator: What one fault is, with count=1: ``gw.BitFlip(count=1)`` by default; `StuckAt`, `Zero`, `SetValue`,
            `SignFlip`, or noise. Its `where` says which weights.
        seed: The seed; which faults are drawn depends on it and on the population's size.
        margin: Half the width of the interval at which the run ends, as a share.
        confidence: That the interval holds the share among all faults, between 0 and 1.
        sequential: Whether to look before the end; else the run has as many faults as Leveugle et al. say, 15,375 of
            210,240 for 1 % at 99 %, and one look.
        tolerance: For outputs that are no classes: how far one may move, relative to the largest.
        batch_size: Samples a batch.
        progress: Called with how many faults are done, and of how many at most.

    Returns:
        The rate; print it to see it by bit.

    Raises:
        SettingError: A setting is out of its range, or `operator` makes more than one fault.
        DataError: The data holds no samples, or does not fit the model.
        SelectionError: `where` chooses nothing.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
        >>> data = torch.randn(30, 4), torch.randint(0, 3, (30,))
        >>> rate = gw.fault_rate(net, data, gw.BitFlip(count=1, bits="mantissa"), margin=0.1, confidence=0.9, seed=1)
        >>> rate.high - rate.low <= 0.2
        True

    References:
        Leveugle et al., "Statistical Fault Injection: Quantified Error and Confidence", DATE 2009; Ruospo et al.,
        "Assessing Convolutional Neural Networks Reliability through Statistical Fault Injections", DATE 2023.
    """
    fault = _checked(BitFlip(count=1) if operator is None else operator)
    check_margin(margin, confidence)
    start = Mutants((FaultAt(operator=fault),), sites="all", outputs=True)
    bench = Bench(model, start, data, seed=seed, batch_size=batch_size, tolerance=tolerance)
    places = fault.places(bench.network)
    bench.planned = FaultPlan(start, bench.network, seed, fault)
    tensors = tuple(_tensor(fault, stretch, bench.network) for stretch in places.stretches)
    schedule = looks(places.size, margin=margin, confidence=confidence, sequential=sequential)

    def run(drawn: NDArray[np.int64]) -> Faults:
        trials = [tried.trial for tried in bench.run(drawn.tolist())]
        return _faults(drawn, trials, places, tensors, classes=bench.original.targets != "values")

    with bench:
        faults, alpha = injected(schedule, places.size, seed, margin, run, progress)
    return FaultRate(
        faults=faults,
        tensors=tensors,
        alpha=alpha,
        margin=margin,
        confidence=confidence,
        looks=tuple(look.faults for look in schedule),
        operator=fault,
        seed=seed_to_json(seed),
        model=bench.original.fingerprint,
        samples=bench.original.samples,
        score=bench.original.score,
    )


def injected(
    schedule: Sequence[Look],
    population: int,
    seed: Seed,
    margin: float,
    run: Callable[[NDArray[np.int64]], Faults],
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Faults, float]:
    """Inject faults until a look at which the interval is narrow enough, or the last one.

    Args:
        schedule: The looks.
        population: How many places there are.
        seed: Which of them are drawn; those of a look are among those of the next.
        margin: Half the width of the interval that is narrow enough.
        run: Injects faults at some places, and says what came of them.
        progress: As in `fault_rate`.

    Returns:
        The faults, and the error that the interval of this look may make.
    """
    stream = Noise(seed, "/faults").stream("places")
    parts: list[Faults] = []
    known, most, alpha = np.empty(0, np.int64), schedule[-1].faults, schedule[-1].alpha
    for look in schedule:
        drawn = distinct(stream, look.faults, population)
        todo = np.setdiff1d(drawn, known, assume_unique=True)
        for at in range(0, len(todo), _AT_ONCE):
            parts.append(run(todo[at : at + _AT_ONCE]))
            if progress is not None:
                progress(len(known) + at + len(parts[-1]), most)
        known = drawn
        failed = sum(int((part.effect >= Effect.CHANGED).sum()) for part in parts)
        alpha = look.alpha
        if FaultShare.counted(failed, len(known), population, alpha).margin <= margin:
            break
    if progress is not None:
        progress(most, most)
    return Faults.merged(parts), alpha


class FaultPlan(PlannedMutants):
    """All single faults of an operator, by their places."""

    def __init__(self, mutants: Mutants, network: Network, seed: Seed, fault: Elementwise) -> None:
        super().__init__(mutants, network, seed)
        self._fault = fault
        self._own = Noise(seed)  # as in `mutate`, so that `FaultRate.mutant` makes the same

    def mutant(self, number: int) -> Mutant:
        operator = FaultAt(operator=self._fault, place=number)
        return Mutant(number=number, of=0, operator=operator, site=Site(), noise=self._own)


def _checked(operator: Any) -> Elementwise:
    """Return what one fault is, without its count.

    Raises:
        SettingError: It does not change elements one by one, or more than one.
    """
    if not isinstance(operator, Elementwise):
        raise SettingError(
            f"fault_rate: expected an operator that changes elements one by one, such as gw.BitFlip(count=1); received "
            f"{operator!r}."
        )
    if operator.count != 1:
        raise SettingError(
            f"fault_rate: one fault a time, {type(operator).__name__}(..., count=1); received count={operator.count}."
        )
    return dataclasses.replace(operator, count=None)


def _tensor(fault: Elementwise, stretch: Stretch, network: Network) -> FaultTensor:
    bits = fault.positions(stretch.tensor) if isinstance(fault, BitFlip | StuckAt) else ()
    tensor = stretch.tensor
    return FaultTensor(
        name=tensor.name,
        layer=tensor.layer,
        dtype=tensor.dtype,
        elements=stretch.size // stretch.ways,
        bits=bits,
        units=FaultUnits.in_stretch(stretch, network),
    )


def _faults(
    drawn: NDArray[np.int64], trials: list[Trial], places: Places, tensors: tuple[FaultTensor, ...], *, classes: bool
) -> Faults:
    effects = np.array([_effect(trial, classes=classes) for trial in trials], np.int64)
    which, elements, ways = (np.zeros(len(drawn), np.int64) for _ in range(3))
    names = [tensor.name for tensor in tensors]
    at = 0
    for stretch, mine in places.split(drawn):
        part = slice(at, at + len(mine))
        which[part] = names.index(stretch.tensor.name)
        elements[part] = stretch.elements(mine)
        bits = np.array(tensors[int(which[at])].bits or (0,), np.int64)
        ways[part] = bits[mine % stretch.ways]
        at += len(mine)
    changed = np.array([int(trial.changed.sum()) for trial in trials], np.int64)
    drop = np.array([np.nan if trial.score is None else -trial.difference for trial in trials], np.float64)
    return Faults(drawn, which, elements, ways, effects, changed, drop)


def _effect(trial: Trial, *, classes: bool) -> Effect:
    if trial.status is Outcome.REFUSED:
        raise SettingError(f"fault_rate: {trial.note}")
    fixed = {Outcome.UNCHANGED: Effect.MASKED, Outcome.NONFINITE: Effect.NONFINITE, Outcome.CRASHED: Effect.CRASHED}
    if trial.status is not None:
        return fixed[trial.status]
    harmed = trial.changed.any() if classes else trial.moved.any()
    return Effect.CHANGED if harmed else Effect.TOLERATED
