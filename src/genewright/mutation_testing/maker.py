"""Maker: the model as one of its mutants, for the length of a block, and what that mutant is."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from genewright.backends import backend_of
from genewright.fingerprint import Fingerprints
from genewright.mutate import act
from genewright.mutation_testing.flipped_bits import Flip, acts_on_bits, flips, words_of
from genewright.mutation_testing.mutants import Mutant
from genewright.network import Network
from genewright.transaction import Transaction


@dataclass
class Made:
    """A mutant while it is there.

    Attributes:
        changed: The tensors that differ from the original; None where layers or shapes do.
        result: Its fingerprint; None where nobody asked.
        steps: Its recipe's steps, as JSON holds them.
        flips: The bits that it flipped, where its operator acts on bits; known after the block.
        kept: It keeps the function, as its operators claim and the transaction has checked in float64.
    """

    changed: tuple[str, ...] | None
    result: str | None
    steps: tuple[Mapping[str, Any], ...]
    flips: tuple[Flip, ...] = ()
    kept: bool = False


class Maker:
    """Makes mutants of one model in place, and takes them back.

    Args:
        model: The model.
        network: Its view.
        example: A sample input.

    Attributes:
        original: The model's fingerprint.
    """

    def __init__(self, model: Any, network: Network, example: Any) -> None:
        self._backend = backend_of(model)
        self._model = model
        self._network = network
        self._example = example
        self._prints = Fingerprints(network)
        self.original = self._prints.first

    @contextmanager
    def mutant(self, mutant: Mutant, *, describe: bool = True) -> Generator[Made]:
        """Let the model be a mutant inside the block.

        Args:
            mutant: Which.
            describe: Whether its recipe and its fingerprint are asked for.
        """
        words: dict[str, NDArray[Any]] = {}
        with Transaction(
            self._backend,
            self._model,
            example=self._example,
            inplace=True,
            keep=True,
            signs=False,
            network=self._network,
        ) as change:
            act(change, (mutant.operator,), mutant.noise)
            changed: tuple[str, ...] | None = ()
            for done in change.done:
                changed = None if changed is None or done.tensors is None else (*changed, *done.tensors)
            if not describe:
                yield Made(changed, None, ())
                return
            result = change.result() if changed is None else self._prints.now(changed)
            steps = [done.step for done in change.done]
            steps[0] = steps[0].with_(parents=(self.original, *steps[0].parents[1:]))
            steps[-1] = steps[-1].with_(result=result)
            if changed is not None and acts_on_bits(mutant.operator):
                words = words_of(self._network, changed)
            kept = changed is None and all("function" in done.step.operator.claims() for done in change.done)
            made = Made(changed, result, tuple(step.to_json() for step in steps), kept=kept)
            yield made
        made.flips = flips(words, self._network)
