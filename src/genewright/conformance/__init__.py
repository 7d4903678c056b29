"""gw.check_operator: the invariants that every operator keeps, checked on networks."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from genewright.calls import answered
from genewright.conformance.advice import advice
from genewright.conformance.cases import Case, as_case, built_in, not_tried
from genewright.conformance.invariants import CaseCheck
from genewright.conformance.report import Conformance
from genewright.conformance.settings_checks import check_settings
from genewright.errors import ConformanceError, SettingError
from genewright.interrupts import hearing
from genewright.operator import Combinator, Operator


@answered("gw.check_operator(gw.GaussianNoise(std=0.01))")
def check_operator(operator: Any, networks: Mapping[str, Any] | None = None) -> Conformance:
    """Check the invariants that every operator keeps.

    1. Its defaults are valid, its settings are frozen, and JSON holds them exactly.
    2. It fits at least one of the networks. On one that it fits it proposes at least one edit (a rate of 0 may change
       nothing); what it does not fit it refuses with a `GenewrightError`, before anything has changed.
    3. Same base and same seed, same bytes: whatever the state of the global random generators, in whatever order the
       network lists its tensors, on a copy or in place, replayed from JSON. Where it draws, another seed gives others.
    4. The input, and the random generators of Python, NumPy, torch and Keras, stay as they were.
    5. dtypes, devices, memory layouts, requires_grad, ties, modes and hooks stay; frozen parameters, buffers and what
       `where` leaves out stay, byte for byte.
    6. Undo restores every byte, also after an exception.
    7. What it claims (`keeps`, `inverse`) is true: where it cannot keep the function it refuses by itself.

    Args:
        operator: An operator, a combinator, or the class of one (then its defaults are checked).
        networks: Models by name, or pairs (model, example input) for operators that claim to keep the function. They
            are only copied. By default small networks that cover what is usual and much that is odd: checkpoints,
            modules where torch is installed, and Keras models where Keras has been imported.

    Returns:
        What was tried; print it. ``details()`` has every network and every invariant.

    Raises:
        ConformanceError: An invariant is broken; the message names it, the operator, the network and the author's line.
        SettingError: `operator` is no operator.

    Example:
        >>> import torch, genewright as gw
        >>> tried = gw.check_operator(gw.SignFlip(rate=0.5), {"linear": torch.nn.Linear(3, 2)})
        >>> tried.fitted, len(tried.invariants) > 10
        (('linear',), True)
    """
    if not isinstance(operator, Operator | Combinator) and not (
        isinstance(operator, type) and issubclass(operator, Operator | Combinator)
    ):
        raise SettingError(f"check_operator: expected an operator or the class of one; received {operator!r}.")
    instance = check_settings(operator)
    cases = built_in() if networks is None else [as_case(name, model) for name, model in networks.items()]
    return check_on(instance, cases, left_out=not_tried() if networks is None else "")


def _said(operator: Operator | Combinator) -> str:
    """Return an operator as it is written, without `where`."""
    settings = ", ".join(f"{name}={value!r}" for name, value in operator.settings().items() if name != "where")
    return f"{type(operator).__name__}({settings})"


@hearing
def check_on(operator: Operator | Combinator, cases: list[Case], *, left_out: str = "") -> Conformance:
    """Check an operator on test cases; return what was tried.

    Raises:
        ConformanceError: An invariant is broken.
    """
    start = time.monotonic()
    checks = [CaseCheck(operator, case) for case in cases]
    fitting = [check for check in checks if check.accepted()]
    who = type(operator).__name__
    differs = "another seed, other bytes"
    if not fitting:
        reasons = "; ".join(f"{check.case.name}: {check.refusal}" for check in checks[:3])
        raise ConformanceError(
            f"{who} breaks the invariant 'it fits a network': it refused all of them ({reasons}). "
            + advice(operator, "it fits a network")
        )
    for check in fitting:
        check.check()
    drawing = [check for check in fitting if check.draws()]
    if drawing and not any(check.differs_by_seed() for check in drawing):
        raise ConformanceError(
            f"{who} breaks the invariant '{differs}': it asks for noise, but 8 seeds gave the same "
            f"bytes on each of {', '.join(check.case.name for check in drawing)}. "
            f"{advice(operator, differs)}"
        )
    held: dict[str, int] = {}
    for check in checks:
        for invariant, count in check.held.items():
            held[invariant] = held.get(invariant, 0) + count
    return Conformance(
        operator=_said(operator),
        fitted=tuple(check.case.name for check in fitting),
        refused={check.case.name: check.refusal for check in checks if check.refusal},
        invariants=held,
        left_out=left_out,
        seconds=time.monotonic() - start,
    )
