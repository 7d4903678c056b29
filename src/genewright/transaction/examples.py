"""The examples that a transaction was given, with what the model computes on each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from genewright.backends import Backend
from genewright.edits import Edit
from genewright.errors import ExampleError
from genewright.example import as_given, example_fingerprint, examples_of
from genewright.step import Step
from genewright.transaction.behaviour import Behaviour
from genewright.transaction.model_ends import input_moves


class Examples:
    """Sample inputs of a model that changes: they have the inputs that it takes now.

    Args:
        backend: The model's framework.
        example: A sample input, a list of several, or None.

    Attributes:
        first: The first one; None where there is none.
        runs: For each, what is known of the model's run on it, and the input itself.
    """

    def __init__(self, backend: Backend, example: Any) -> None:
        self._backend = backend
        self.runs: list[tuple[Behaviour, Any]] = [(Behaviour(backend), given) for given in examples_of(example)]

    @property
    def first(self) -> Any:
        return self.runs[0][1]

    def as_given(self) -> Any:
        """Return them in the form in which a caller gives them."""
        return as_given([given for _, given in self.runs])

    def forget_outputs(self) -> None:
        """The model changes: it will compute something else."""
        for behaviour, _ in self.runs:
            behaviour.forget_outputs()

    def adapt(self, model: Any, edits: Sequence[Edit]) -> None:
        """Take the inputs that the model takes after the edits.

        Raises:
            ExampleError: Not all of them have inputs of the first one's form.
        """
        moves = {} if self.first is None else input_moves(edits)
        if not moves:
            return
        (first, example), *others = self.runs
        runs = [(first, self._backend.gather_inputs(model, example, moves))]
        try:
            runs += [(one, self._backend.gather_inputs(model, given, moves)) for one, given in others]
        except (LookupError, ValueError, RuntimeError) as error:
            raise ExampleError(
                "The lengths of the model's inputs change, and not all of the examples have inputs of the same "
                f"form: {error}. Give one example. Nothing has been changed."
            ) from error
        self.runs = runs

    def fingerprint(self) -> str:
        """Return the fingerprint of the first one."""
        return example_fingerprint(self.first, self._backend.numeric)

    def check_fitted(self, step: Step) -> None:
        """Refuse a recorded step whose values were fitted on another example.

        Raises:
            ExampleError: They were; both are named.
        """
        if step.example is None:
            return
        found = None if self.first is None else self.fingerprint()
        if found != step.example:
            has = "none was given" if found is None else f"the one given is {found}"
            raise ExampleError(
                f"{step.name} at {step.path}: its values were fitted on the example {step.example}, and {has}. Give "
                "the batch that the mutant was made with: example=."
            )
