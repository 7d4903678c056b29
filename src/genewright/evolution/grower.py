"""Grower: makes an individual's weights again, to the bit, from the base and the steps that led to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from genewright.backends import backend_of
from genewright.donors import Donors
from genewright.errors import EvolutionError
from genewright.evolution.individual import Genome
from genewright.evolution.trained_weights import TrainedWeights
from genewright.mutate import act
from genewright.operator import AnyOperator
from genewright.operators.weights.evolution_update import EvolutionUpdate, Moments
from genewright.references import MATE
from genewright.seeding import Noise
from genewright.transaction import Transaction

CACHE_BYTES = 256 << 20
_MOST_HELD = 128


@dataclass(frozen=True)
class _Held:
    """A network that is kept for its children, and the moments of the updates that led to it."""

    model: Any
    moments: Moments | None = None


class Grower:
    """Makes individuals of their genomes; keeps some parents, so that a child costs one copy and one mutation.

    What is kept is never handed out: a fitness function may leave its traces in a model.

    Args:
        base: The network that all individuals descend from; it is only copied.
        genomes: The genomes by number, those of all ancestors included; the caller adds to them.
        example: What operators need that have to see the model run.
        trained: Where trained weights are kept, in a run that trains its individuals.
        cache_bytes: How large the parents may be that are kept, together. The one goes that is made again in the fewest
            steps from what else is kept; of two such, the one used longest ago.
    """

    def __init__(
        self,
        base: Any,
        genomes: Mapping[int, Genome],
        *,
        example: Any = None,
        trained: TrainedWeights | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self._trained = trained
        self._backend = backend_of(base)
        self._genomes = genomes
        self._example = example
        self._kept: dict[int, _Held] = {0: _Held(base)}  # in the order of their last use
        network = self._backend.network(base)
        size = max(1, sum(tensor.nbytes for tensor in network.tensors.values()))
        self._most = max(2, min(_MOST_HELD, cache_bytes // size))

    def grown(self, genome: Genome) -> Any:
        """Return a new network of this genome, which is the caller's own."""
        return self._grown(genome).model

    def signed(self, number: int) -> Any:
        """Return a new network with its recipe, as `gw.mutate` would have made it.

        Raises:
            EvolutionError: It differs from what `grown` makes: a fault of an operator, which is named.
            StoreError: Its trained weights are gone or damaged.
        """
        if self._trained is not None:
            return self.grown(self._genomes[number])  # recipes are written all along, for they go into the files
        wanted = [*self._mates_of(number), number]
        uses = Counter(start for n in wanted for start in self._needs(n, set(wanted)))
        made: dict[int, Any] = {}
        for one in wanted:
            made[one] = self._signed(one, made)
            for start in self._needs(one, set(wanted)):
                uses[start] -= 1
                if not uses[start] and start != number:
                    made.pop(start, None)
        model = made[number]
        self._hold_to(model, number)
        return model

    def lineage(self, number: int) -> list[int]:
        """Return the numbers from the base to an individual, by first parents."""
        chain = [number]
        while self._genomes[chain[-1]].parents:
            chain.append(self._genomes[chain[-1]].parents[0])
        return chain[::-1]

    def _grown(self, genome: Genome) -> _Held:
        if genome.trained:
            if self._trained is None:
                raise EvolutionError(
                    "This run trained its individuals, and their weights are in a folder. Read them through the run: "
                    "gw.resume(store, model=..., fitness=..., train=...)."
                )
            return _Held(self._trained.model(self._kept[0].model, genome.trained))
        if not genome.parents:
            return _Held(self._backend.copy(self._kept[0].model))
        for parent in genome.parents:
            self._keep(parent)
        first = self._kept[genome.parents[0]]
        model = self._backend.copy(first.model)
        operator, moments = genome.mutation, None
        if operator is None:
            return _Held(model, first.moments)
        if isinstance(operator, EvolutionUpdate) and operator.moving:
            operator, moments = operator.after(first.moments)
        donors = {MATE: self._kept[genome.parents[1]].model} if len(genome.parents) > 1 else None
        signs = self._trained is not None
        with Transaction(self._backend, model, example=self._example, donors=Donors(donors), signs=signs) as change:
            act(change, (operator,), Noise(genome.seed))
            return _Held(change.commit(), moments)

    def _keep(self, number: int) -> None:
        """Make an individual and its missing ancestors, and keep it; the ancestors as long as there is room."""
        stack = [number]
        while stack:
            top = stack[-1]
            missing = [parent for parent in self._genomes[top].sources if parent not in self._kept]
            if top in self._kept:
                self._kept[top] = self._kept.pop(top)
            elif missing:
                stack += missing
                continue
            else:
                self._kept[top] = self._grown(self._genomes[top])
                needed = {top, number, *(p for n in stack[:-1] for p in self._genomes[n].sources)}
                self._make_room(needed)
            stack.pop()

    def _make_room(self, needed: Iterable[int]) -> None:
        staying = {0, *needed}
        while len(self._kept) > self._most + len(staying):
            going = [number for number in self._kept if number not in staying]
            del self._kept[min(going, key=self._steps_to)]

    def _steps_to(self, number: int) -> int:
        """Return how many steps would make an individual again from what else is kept."""
        steps, todo = 0, [number]
        while todo:
            steps += 1
            todo += [parent for parent in self._genomes[todo.pop()].sources if parent not in self._kept]
        return steps

    def _mates_of(self, number: int) -> list[int]:
        """Return the second parents in the whole ancestry of an individual, in the order in which they came to be."""
        found: set[int] = set()
        seen: set[int] = set()
        todo = [number]
        while todo:
            one = todo.pop()
            if one in seen:
                continue
            seen.add(one)
            parents = self._genomes[one].parents
            found.update(parents[1:])
            todo += parents
        return sorted(found - {number})

    def _needs(self, number: int, wanted: set[int]) -> list[int]:
        """Return what `_signed` takes from the ones made before."""
        chain = self._chain(number, wanted - {number})
        return [chain[0], *(mate for one in chain[1:] for mate in self._genomes[one].parents[1:])]

    def _chain(self, number: int, known: Iterable[int]) -> list[int]:
        """Return the way to an individual from the nearest of those that are made, or the base."""
        line, ends = self.lineage(number), set(known)
        start = max((place for place, one in enumerate(line[:-1]) if one in ends), default=0)
        return line[start:]

    def _signed(self, number: int, made: Mapping[int, Any]) -> Any:
        chain = self._chain(number, made)
        start = made.get(chain[0]) or self._kept[0].model
        model = self._backend.copy(start)
        steps = [self._genomes[one] for one in chain[1:] if self._genomes[one].operator is not None]
        crossed = bool(made) or any(step.parents[1:] for step in steps)
        while steps:
            mates = steps[0].parents[1:]
            end = 1 if crossed else len(steps)  # where lines meet again, a step is told by its parent's fingerprint
            model = self._carried_out(model, steps[:end], made.get(mates[0], self._kept[0].model) if mates else None)
            steps = steps[end:]
        return model

    def _carried_out(self, model: Any, steps: list[Genome], mate: Any) -> Any:
        """Let steps act in one transaction, whose result alone is fingerprinted; updates with moments become one."""
        donors = Donors({} if mate is None else {MATE: mate})
        with Transaction(self._backend, model, example=self._example, donors=donors) as change:
            for operator, seed in _merged(steps):
                act(change, (operator,), Noise(seed))
            return change.commit()

    def _hold_to(self, model: Any, number: int) -> None:
        """Compare what a recipe leads to with what was evaluated."""
        grown = self.grown(Genome(parents=(number,)) if number else Genome(parents=()))
        ours, theirs = self._backend.network(model), self._backend.network(grown)
        for name in {**ours.tensors, **theirs.tensors}:
            if name not in ours.tensors or name not in theirs.tensors or ours.raw(name) != theirs.raw(name):
                raise EvolutionError(
                    f"Individual {number} is not made again as it was evaluated: {name!r} differs. One of its "
                    "operators depends on more than the network and the seed; gw.check_operator finds which."
                )


def _merged(steps: list[Genome]) -> Iterable[tuple[AnyOperator, int]]:
    """Yield (operator, seed): updates that go on with the moments of the one before are one operator."""
    waiting: EvolutionUpdate | None = None
    for genome in steps:
        operator = genome.mutation
        assert operator is not None
        if isinstance(operator, EvolutionUpdate) and operator.moving:
            waiting = operator if waiting is None else waiting.then(operator)
            continue
        if waiting is not None:
            yield waiting, 0
            waiting = None
        yield operator, genome.seed
    if waiting is not None:
        yield waiting, 0
