"""FaultTeam: a model and its data, into which single faults are injected by their places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.errors import SettingError
from genewright.mutation_testing.bench import Bench
from genewright.mutation_testing.fault_population import FaultTensor
from genewright.mutation_testing.fault_record import Effect, Faults
from genewright.mutation_testing.fault_units import FaultUnits
from genewright.mutation_testing.mutants import Mutant, Mutants, PlannedMutants
from genewright.mutation_testing.outcome import Outcome
from genewright.mutation_testing.site import Site
from genewright.mutation_testing.trial import Trial
from genewright.network import Network
from genewright.operators.weights.bit_flip import BitFlip
from genewright.operators.weights.elementwise import Elementwise
from genewright.operators.weights.fault_at import FaultAt
from genewright.operators.weights.places import Places, Stretch
from genewright.operators.weights.stuck_at import StuckAt
from genewright.seeding import Noise, Seed


@dataclass(frozen=True)
class FaultSetup:
    """What decides what every fault does on data.

    Attributes:
        model: The model.
        fault: What one fault is, without its count.
        seed: The run's seed.
        batch_size: Samples a batch; None for what fits.
        tolerance: By how much an output may change and count as unmoved.
    """

    model: Any
    fault: Elementwise
    seed: Seed
    batch_size: int | None
    tolerance: float

    def team(self, data: Any) -> FaultTeam:
        """Return what injects faults, in whichever process."""
        return FaultTeam(self, data)


class FaultTeam:
    """Injects faults by their places.

    Args:
        setup: What the faults are, and of which model.
        data: As `gw.compare` takes it.

    Attributes:
        bench: Where the faults are injected.
        places: All places there are.
        tensors: The tensors that they lie in.
    """

    def __init__(self, setup: FaultSetup, data: Any) -> None:
        start = Mutants((FaultAt(operator=setup.fault),), sites="all", outputs=True)
        size, tolerance = setup.batch_size, setup.tolerance
        self.bench = Bench(setup.model, start, data, seed=setup.seed, batch_size=size, tolerance=tolerance, told=False)
        network = self.bench.network
        self.places = setup.fault.places(network)
        self.bench.planned = FaultPlan(start, network, setup.seed, setup.fault)
        self.tensors = tuple(_tensor(setup.fault, stretch, network) for stretch in self.places.stretches)

    @property
    def ready_in(self) -> float:
        """How many seconds of the last share the original took."""
        return self.bench.ready_in

    def run(self, numbers: Sequence[int]) -> Faults:
        """Inject the faults at some places, ascending."""
        with self.bench:
            trials = [tried.trial for tried in self.bench.run(numbers)]
        classes = self.bench.original.targets != "values"
        return _faults(np.array(numbers, np.int64), trials, self.places, self.tensors, classes=classes)


class FaultPlan(PlannedMutants):
    """All single faults of an operator, by their places."""

    def __init__(self, mutants: Mutants, network: Network, seed: Seed, fault: Elementwise) -> None:
        super().__init__(mutants, network, seed)
        self._fault = fault
        self._own = Noise(seed)  # as in `mutate`, so that `FaultRate.mutant` makes the same

    def mutant(self, number: int) -> Mutant:
        operator = FaultAt(operator=self._fault, place=number)
        return Mutant(number=number, of=0, operator=operator, site=Site(), noise=self._own)


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
