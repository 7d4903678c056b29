"""fault_rate: which share of all single faults does harm? Statistical fault injection."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genewright.errors import SettingError
from genewright.mutation_testing.counting import Progress, counting
from genewright.mutation_testing.crew import Crew
from genewright.mutation_testing.data_fingerprint import data_fingerprint
from genewright.mutation_testing.fault_record import Faults
from genewright.mutation_testing.fault_report import FaultRate
from genewright.mutation_testing.fault_sample import check_margin, looks
from genewright.mutation_testing.fault_team import FaultSetup
from genewright.mutation_testing.injection import injected
from genewright.mutation_testing.store import CampaignStore
from genewright.operators.weights.bit_flip import BitFlip
from genewright.operators.weights.elementwise import Elementwise
from genewright.seeding import Seed, seed_required, seed_to_json
from genewright.settings import check_nonnegative


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
    store: str | Path | None = None,
    executor: Any = None,
    progress: Progress = None,
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
        store: A folder that keeps every fault. Called again with the same arguments, the run goes on where it was
            killed; with a smaller `margin`, it is extended.
        executor: `gw.Serial()`, the default, or `gw.Processes(n, threads=t)`: the rate is the same where torch
            computes with t threads here too (`torch.set_num_threads(t)`, at first); else last bits of sums differ.
        progress: Show a line of progress; by default where standard error is a terminal. Or a function, called with
            how many faults are done, and of how many at most.

    Returns:
        The rate; print it to see it by bit.

    Raises:
        SettingError: A setting is out of its range, or `operator` makes more than one fault.
        DataError: The data holds no samples, or does not fit the model.
        SelectionError: `where` chooses nothing.
        StoreError: The store holds another run, or another process has it.

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
    check_nonnegative("fault_rate", "tolerance", tolerance)
    setup = FaultSetup(model, fault, seed, batch_size, tolerance)
    data = list(cast("Iterator[Any]", data)) if isinstance(data, Iterator) else data
    team = setup.team(data)
    original, population = team.bench.original, team.places.size
    setup = dataclasses.replace(setup, batch_size=team.bench.batch_size)  # as other processes cut the batches
    schedule = looks(population, margin=margin, confidence=confidence, sequential=sequential)
    with contextlib.ExitStack() as stack:
        told = stack.enter_context(counting("fault_rate", progress))
        kept = None
        if store is not None:
            kept = stack.enter_context(CampaignStore(store, Faults.from_line, Faults.to_line))
            kept.open(_about(setup, original.fingerprint, data_fingerprint(model, data)))
        crew = stack.enter_context(Crew(team, (FaultSetup.team, (setup, data)), executor))

        def run(drawn: NDArray[np.int64]) -> Iterator[Faults]:
            known = Faults.merged([] if kept is None else kept.kept).at(drawn)
            yield known
            for part in crew.shares(np.setdiff1d(drawn, known.place, assume_unique=True).tolist()):
                if kept is not None:
                    kept.add([part])
                yield part

        faults, alpha = injected(schedule, population, seed, margin, run, told)
    return FaultRate(
        faults=faults,
        tensors=team.tensors,
        alpha=alpha,
        margin=margin,
        confidence=confidence,
        looks=tuple(look.faults for look in schedule),
        operator=fault,
        seed=seed_to_json(seed),
        model=original.fingerprint,
        samples=original.samples,
        score=original.score,
    )


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


def _about(setup: FaultSetup, model: str, data: str) -> dict[str, Any]:
    """Return what decides what comes of every fault."""
    return {
        "model": model,
        "data": data,
        "fault": setup.fault.to_json(),
        "seed": seed_to_json(setup.seed),
        "batch_size": setup.batch_size,
        "tolerance": setup.tolerance,
    }
