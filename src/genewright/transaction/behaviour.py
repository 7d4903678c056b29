"""Behaviour: what a model computes on the example and where else it runs, to hold what it does after a step against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from genewright.backends import Backend
from genewright.edits import Edit, RemoveLayer, ReplaceLayer
from genewright.errors import UnsupportedError
from genewright.interrupts import checkpoint
from genewright.operator import Operator
from genewright.other_runs import OtherRun
from genewright.outputs import Outputs

_ADVICE = {
    True: "Choose another layer, or take off first what runs in training alone: gw.RemoveLayer.",
    False: "Choose another layer, or say one that returns the lengths of what it stands beside: path=, layer=.",
}


class Behaviour:
    """What is known of a model as it is now; each run is made once, and serves until the model changes.

    Args:
        backend: The model's framework.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._outputs: Outputs | None = None
        self._others: tuple[OtherRun, ...] | None = None

    def outputs(self, model: Any, example: Any) -> Outputs:
        """Return the model's outputs on the example, in float64 where that can be."""
        if self._outputs is None:
            self._outputs = self._backend.exact_outputs(model, example)
        return self._outputs

    def other_runs(self, model: Any, example: Any) -> tuple[OtherRun, ...]:
        """Return how the model runs beyond the example; later steps are held to what the first one found."""
        if self._others is None:
            self._others = self._backend.other_runs(model, example)
        return self._others

    def forget_outputs(self) -> None:
        """The model changes: it will compute something else."""
        self._outputs = None

    def forget_other_runs(self) -> None:
        """What the model takes has changed."""
        self._others = None

    def outputs_after(self, operator: Operator, model: Any, example: Any) -> Outputs:
        """Return the outputs of a model that an operator has changed.

        Raises:
            UnsupportedError: It does not run any more.
        """
        try:
            return self.outputs(model, example)
        except UnsupportedError as error:
            raise UnsupportedError(
                f"{type(operator).__name__}: the model would not run any more ({error.__cause__}). Refused; nothing "
                "has been changed."
            ) from error

    def refuse_narrower(
        self, operator: Operator, edits: Sequence[Edit], model: Any, runs: Sequence[OtherRun], *, alike: bool
    ) -> str:
        """Refuse a mutant that runs on the example, and not where its original does.

        Args:
            operator: Who changed the model.
            edits: How.
            model: The mutant.
            runs: How its original runs beyond the example.
            alike: Whether the outputs have the shapes of the original's.

        Returns:
            What to note where a layer was taken out or exchanged: what the model takes may have changed on purpose.

        Raises:
            UnsupportedError: It fails in one of these runs; the run and the reason are named.
        """
        notes: list[str] = []
        failures = self._backend.failures(model, runs, alike=alike) if runs else []
        checkpoint()
        for run, why in zip(runs, failures, strict=True):
            if why and any(isinstance(edit, RemoveLayer | ReplaceLayer) for edit in edits):
                notes.append(f"The original also runs {run.words}, the mutant does not ({why}).")
                self.forget_other_runs()
            elif why:
                raise UnsupportedError(
                    f"{type(operator).__name__}: the mutant would run on the example, but not {run.words}, where the "
                    f"original does ({why}). {_ADVICE[run.training]} Refused; nothing has been changed."
                )
        if not alike:
            self.forget_other_runs()
        return " ".join(notes)
