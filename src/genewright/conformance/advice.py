"""What the author of an operator is told where an invariant is broken: what to do, and the line."""

from __future__ import annotations

import traceback
from collections.abc import Iterator

from genewright.operator import Combinator, Operator, line_of

FITS = "what does not fit is refused with a GenewrightError"
DRAWS = (
    "Draw from the `noise` that is handed over (noise.stream(tensor.name)), and from no generator of Python, NumPy or "
    "torch."
)
READS = "propose reads the networks and yields edits; only the edits change anything."
ADVICE = {
    FITS: "Where a network does not fit, raise gw.SelectionError or gw.UnsupportedError.",
    "same base and same seed, same bytes": DRAWS,
    "another seed, other bytes": DRAWS,
    "global random generators stay as they were": DRAWS,
    "the input is untouched": READS,
    "propose writes nothing": READS,
    "a plan changes nothing": READS,
    "it keeps the function": 'Take "function" out of `keeps`, or refuse what cannot keep it.',
    "dtypes, layouts, ties, modes and hooks are kept": 'Take "shape" out of `keeps` where layers or shapes change.',
    "the order of the tensors does not matter": "Draw by a tensor's name; go through them sorted.",
    "frozen parameters, buffers and what `where` leaves out stay": (
        "Yield edits of what self.where.select(network) gives, and no others."
    ),
    "`where` limits the units": "Give each edit part=selected.part.",
    "a recipe replays from JSON": "A setting, a tensor or a draw decides: no clock, file, counter or global.",
    "it is its own inverse": "Leave `inverse` False.",
}
"""What to do, by the invariant."""


def advice(operator: Operator | Combinator, invariant: str, error: BaseException | None = None) -> str:
    """Return what to do, and where: the author's line that an error came from, else where the operator proposes."""
    line = _line(operator, error)
    return " ".join(filter(None, (ADVICE.get(invariant, ""), line and f"See {line}.")))


def _line(operator: Operator | Combinator, error: BaseException | None) -> str:
    cls = type(operator)
    code = getattr(cls, "function", None) or getattr(cls, "propose", None) or getattr(cls, "choose", None)
    begins = line_of(code)
    file = begins.rpartition(":")[0]
    lines = [f.lineno for each in _chain(error) for f in traceback.extract_tb(each.__traceback__) if f.filename == file]
    return f"{file}:{lines[-1]}" if lines else begins


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
