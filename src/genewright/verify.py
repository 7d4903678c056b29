"""Verification: holding an operator to its claim that it keeps the function, and to the limit that it sets itself."""

from __future__ import annotations

import logging

from genewright.errors import FunctionError, UnsupportedError
from genewright.operator import Operator
from genewright.outputs import TOLERANCE_SINGLE, Outputs, largest_change

_LOG = logging.getLogger("genewright")


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
            f"where {wanted}. Refused; nothing has been changed."
        )
    return change
