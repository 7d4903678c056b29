"""Trial: what one mutant did on one model and its data; and what the original does, which it is compared with."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.distance import json_number
from genewright.errors import RecipeError
from genewright.mutation_testing.outcome import Outcome

Bits = NDArray[np.bool_]

_NO_BITS = np.zeros(0, np.bool_)


@dataclass(frozen=True, kw_only=True, eq=False)
class Original:
    """The original on the data.

    Attributes:
        fingerprint: Which model it is.
        right: Per sample, whether the original is right.
        classes: Per sample its class, where it has one.
        confidence: Per sample the largest class probability.
        score: Its mean score: accuracy, or minus the mean squared error.
        targets: "classes", "binary", "values" or "none".
    """

    fingerprint: str
    right: Bits
    classes: NDArray[np.int64] | None
    confidence: NDArray[np.float32]
    score: float
    targets: str

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self.right)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {
            "fingerprint": self.fingerprint,
            "samples": self.samples,
            "right": pack(self.right),
            "classes": None if self.classes is None else self.classes.tolist(),
            "confidence": base64.b85encode(self.confidence.astype("<f4").tobytes()).decode(),
            "score": json_number(self.score),
            "targets": self.targets,
        }

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> Original:
        """Read what `to_json` wrote."""
        classes = form["classes"]
        return cls(
            fingerprint=form["fingerprint"],
            right=unpack(form["right"], form["samples"]),
            classes=None if classes is None else np.asarray(classes, np.int64),
            confidence=np.frombuffer(base64.b85decode(form["confidence"]), "<f4").astype(np.float32),
            score=float(form["score"]),
            targets=form["targets"],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """One mutant of one model.

    Attributes:
        status: UNCHANGED, NONFINITE, REFUSED or CRASHED, or None where it ran and a criterion has to judge.
        result: The mutant's fingerprint.
        wrong: Per sample, whether the mutant is wrong; without targets, whether its prediction differs.
        changed: Per sample, whether its prediction differs from the original's.
        moved: Per sample, whether an output changed by more than the campaign's tolerance.
        score: Its mean score.
        difference: Mean of the samples' scores minus the original's.
        spread: Their standard deviation (n - 1).
        largest_change: max |a - b| / max |a|.
        note: Why it was refused or crashed.
    """

    status: Outcome | None = None
    result: str | None = None
    wrong: Bits = field(default_factory=lambda: _NO_BITS)
    changed: Bits = field(default_factory=lambda: _NO_BITS)
    moved: Bits = field(default_factory=lambda: _NO_BITS)
    score: float | None = None
    difference: float = 0.0
    spread: float = 0.0
    largest_change: float | None = None
    note: str = ""

    @property
    def ran(self) -> bool:
        """Whether there are outputs of it."""
        return self.score is not None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        form: dict[str, Any] = {"status": None if self.status is None else self.status.value, "result": self.result}
        if self.ran:
            form |= {"samples": len(self.wrong), "wrong": pack(self.wrong), "changed": pack(self.changed)}
            form |= {"moved": pack(self.moved), "score": json_number(self.score or 0.0)}
            form |= {"difference": json_number(self.difference), "spread": json_number(self.spread)}
            form["largest_change"] = json_number(self.largest_change or 0.0)
        if self.note:
            form["note"] = self.note
        return form

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> Trial:
        """Read what `to_json` wrote.

        Raises:
            RecipeError: It is damaged.
        """
        try:
            status = None if form["status"] is None else Outcome(form["status"])
            if "score" not in form:
                return cls(status=status, result=form["result"], note=form.get("note", ""))
            samples = form["samples"]
            return cls(
                status=status,
                result=form["result"],
                wrong=unpack(form["wrong"], samples),
                changed=unpack(form["changed"], samples),
                moved=unpack(form["moved"], samples),
                score=float(form["score"]),
                difference=float(form["difference"]),
                spread=float(form["spread"]),
                largest_change=float(form["largest_change"]),
                note=form.get("note", ""),
            )
        except (KeyError, ValueError, TypeError) as error:
            raise RecipeError(f"A row of the report is damaged: {error!r}.") from None


def pack(bits: Bits) -> str:
    """Return bits as text: eight a byte, base 85; "" where none is set.

    >>> unpack(pack(np.array([True, False, True])), 3).tolist(), pack(np.zeros(9, bool))
    ([True, False, True], '')
    """
    return base64.b85encode(np.packbits(bits).tobytes()).decode() if bits.any() else ""


def unpack(text: str, number: int) -> Bits:
    """Return the bits that `pack` wrote."""
    if not text:
        return np.zeros(number, np.bool_)
    data = np.frombuffer(base64.b85decode(text), np.uint8)
    return np.unpackbits(data, count=number).astype(np.bool_)
