"""gw.check_operator: the promises that every operator keeps, checked on networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genewright.conformance.promises import Trial
from genewright.conformance.settings import check_settings
from genewright.conformance.specimens import Specimen, as_specimen, built_in
from genewright.errors import ConformanceError, SettingError
from genewright.operator import Combinator, Operator


def check_operator(operator: Any, networks: Mapping[str, Any] | None = None) -> None:
    """Check that an operator keeps what every operator promises.

    1. Its defaults are valid, its settings are frozen, and JSON holds them exactly.
    2. It fits at least one of the networks. On one that it fits it proposes at least one edit (a rate of 0 may change
       nothing); what it does not fit it refuses with a `GenewrightError`, before anything has changed.
    3. Same base and same seed, same bytes: whatever the state of the global random generators, in whatever order the
       network lists its tensors, on a copy or in place, replayed from JSON. Where it draws, another seed gives others.
    4. The input, and the random generators of Python, NumPy and torch, stay as they were.
    5. dtypes, devices, memory layouts, requires_grad, ties, modes and hooks stay; frozen parameters, buffers and what
       `where` leaves out stay, byte for byte.
    6. Undo restores every byte, also after an exception.
    7. What it claims (`keeps`, `inverse`) is true: where it cannot keep the function it refuses by itself.

    Args:
        operator: An operator, a combinator, or the class of one (then its defaults are checked).
        networks: Models by name, or pairs (model, example input) for operators that claim to keep the function. They
            are only copied. By default small networks that cover what is usual and much that is odd: checkpoints and,
            where torch is installed, modules.

    Raises:
        ConformanceError: A promise is broken; the message names it, the operator and the network.
        SettingError: `operator` is no operator.

    Example:
        >>> import torch, genewright as gw
        >>> gw.check_operator(gw.SignFlip(rate=0.5), {"linear": torch.nn.Linear(3, 2)})
    """
    if not isinstance(operator, Operator | Combinator) and not (
        isinstance(operator, type) and issubclass(operator, Operator | Combinator)
    ):
        raise SettingError(f"check_operator: expected an operator or the class of one; received {operator!r}.")
    instance = check_settings(operator)
    specimens = built_in() if networks is None else [as_specimen(name, model) for name, model in networks.items()]
    check_on(instance, specimens)


def check_on(operator: Operator | Combinator, specimens: list[Specimen]) -> None:
    """Check an operator on specimens.

    Raises:
        ConformanceError: A promise is broken.
    """
    trials = [Trial(operator, specimen) for specimen in specimens]
    fitting = [trial for trial in trials if trial.accepted()]
    who = type(operator).__name__
    if not fitting:
        reasons = "; ".join(f"{trial.specimen.name}: {trial.refusal}" for trial in trials[:3])
        raise ConformanceError(f"{who} breaks the promise 'it fits a network': it refused all of them ({reasons}).")
    for trial in fitting:
        trial.check()
    drawing = [trial for trial in fitting if trial.draws()]
    if drawing and not any(trial.differs_by_seed() for trial in drawing):
        raise ConformanceError(
            f"{who} breaks the promise 'another seed, other bytes': it asks for noise, but 8 seeds gave the same bytes "
            f"on each of {', '.join(trial.specimen.name for trial in drawing)}. Draw from the stream that it asks for."
        )
