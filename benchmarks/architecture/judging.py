"""What the benchmarks of a model's ends share: comparing outputs of two sizes, a time limit, one line a model.

Only numbers are compared here, none of genewright's own checks is asked.
"""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

EXACT, SINGLE = 1e-9, 1e-5  # of the largest output; where the model computes in float32 whatever it receives
LIMIT = 120.0  # processor seconds a model


class TooLongError(BaseException):
    """A model took more processor time than it may: no `except Exception` is to catch this."""


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise TooLongError in the body after so many seconds of processor time."""

    def stop(*_: Any) -> None:
        raise TooLongError

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds, 5.0)  # again and again: the first may come where it is swallowed
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def change_of_old_part(before: Sequence[Any], after: Sequence[Any], added: int) -> tuple[float, bool]:
    """Compare outputs of which some are to be longer.

    Args:
        before: The outputs of the model.
        after: Those of the mutant.
        added: By how many entries an axis may be longer, at its end.

    Returns:
        (change, grown): the largest difference of what was there before, relative to the largest output, inf where a
        shape is another one; whether any output is longer.
    """
    change, grown = 0.0, False
    if len(before) != len(after):
        return float("inf"), False
    for old, new in zip(before, after, strict=True):
        longer = [axis for axis in range(old.ndim) if new.ndim == old.ndim and new.shape[axis] != old.shape[axis]]
        if new.ndim != old.ndim or len(longer) > 1 or any(new.shape[a] != old.shape[a] + added for a in longer):
            return float("inf"), False
        grown = grown or bool(longer)
        part = new[tuple(slice(0, size) for size in old.shape)]
        if old.dtype.kind == "f" and old.size:
            change = max(change, float(np.abs(part - old).max() / max(float(np.abs(old).max()), 1e-30)))
            change = change if np.isfinite(change) else float("inf")
        elif not np.array_equal(part, old):
            change = float("inf")
    return change, grown


def lines_of(
    file: Path, names: Iterable[str], measured: Callable[[str], dict[str, Any]], said: Callable[[dict[str, Any]], str]
) -> None:
    """Write a line of JSON for each name that the file does not have, so that a run can be stopped and gone on with."""
    file.parent.mkdir(exist_ok=True)
    done = {json.loads(line)["name"] for line in file.read_text().splitlines()} if file.exists() else set[str]()
    for name in names:
        if name in done:
            continue
        row = measured(name)
        with file.open("a") as out:
            out.write(json.dumps(row) + "\n")
        print(f"{name:<34} {said(row)}", flush=True)
