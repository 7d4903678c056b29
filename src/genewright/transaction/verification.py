"""Verification: holding an operator to its claim that it keeps the function, and to the limit that it sets itself."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from genewright.edits import Edit
from genewright.errors import FunctionError, UnsupportedError
from genewright.interrupts import checkpoint
from genewright.network import Network
from genewright.operator import Operator
from genewright.outputs import TOLERANCE_SINGLE, Outputs, largest_change
from genewright.transaction.examples import Examples
from genewright.transaction.model_ends import comparable

_LOG = logging.getLogger("genewright")


class Verification:
    """One step of an operator, seen from outside: what the model computes before, and whether it may differ after.

    Made before the step, and asked after it.

    Args:
        operator: Who changes the model.
        edits: How.
        examples: What the model runs on; one at least.
        model: The model as it is before.
        network: Its view.
        reformed: Layers or shapes change.
    """

    def __init__(
        self,
        operator: Operator,
        edits: Sequence[Edit],
        examples: Examples,
        model: Any,
        network: Network,
        *,
        reformed: bool,
    ) -> None:
        self._operator = operator
        self._edits = edits
        self._examples = examples
        self._rounds = any(edit.rounds(network) for edit in edits)
        behaviour, self._example = examples.runs[0]
        first = behaviour.outputs(model, self._example)
        self._other_runs = behaviour.other_runs(model, self._example) if reformed else ()
        self._before = [first, *(one.outputs(model, given) for one, given in examples.runs[1:])]

    def after(self, model: Any) -> tuple[float, str]:
        """Return the largest change of an output on the first example, and what the user should know.

        Args:
            model: The model as it is after the step.

        Raises:
            FunctionError: The outputs differ by more than the operator may cause.
            UnsupportedError: The model does not run any more, or not where its original does.
        """
        operator, edits = self._operator, self._edits
        behaviour, example = self._examples.runs[0]
        changes: list[float] = []
        for before, (one, given) in zip(self._before, self._examples.runs, strict=True):
            after = one.outputs_after(operator, model, given)
            changes.append(verify(operator, *comparable(before, after, edits), rounds=self._rounds))
        checkpoint()
        note = ""
        if example is self._example:
            after = behaviour.outputs_after(operator, model, example)
            alike = [o.shape for o in self._before[0].tensors] == [o.shape for o in after.tensors]
            note = behaviour.refuse_narrower(operator, edits, model, self._other_runs, alike=alike)
        else:
            behaviour.forget_other_runs()  # they have inputs that the model does not take any more
        return changes[0], note


def verify(operator: Operator, before: Outputs, after: Outputs, *, rounds: bool = False) -> float:
    """Return the change of the outputs; refuse one that the operator may not cause.

    Args:
        operator: Who changed the model.
        before: The outputs before.
        after: The outputs after.
        rounds: The claim holds up to the rounding of the stored weights.

    Raises:
        FunctionError: The outputs differ by more.
        UnsupportedError: The outputs are to be kept, and nothing of them can be compared.
    """
    limit = operator.limit()
    keeps = not operator.claims().isdisjoint(("function", "ends"))
    if keeps and not before.tensors:
        raise UnsupportedError(
            f"{type(operator).__name__}: on this example the model returns neither tensors nor numbers, so that nobody "
            "can see whether the outputs stay. Give a module whose forward returns them. Refused; nothing has been "
            "changed."
        )
    if keeps:
        limit = TOLERANCE_SINGLE if rounds else max(before.tolerance, after.tolerance)
    change = largest_change(before, after)
    _LOG.info("%s changes the outputs by %.2g of the largest one on this example.", type(operator).__name__, change)
    if not change <= limit:
        wanted = f"it may change nothing (tolerance {limit:g})" if keeps else f"{limit:g} is allowed"
        raise FunctionError(
            f"{type(operator).__name__} would change the outputs by {change:.2g} of the largest one on this example, "
            f"where {wanted}. Refused; nothing has been changed. {operator.instead()}".rstrip()
        )
    return change
