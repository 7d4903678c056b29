"""When a run ends."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from genewright.errors import SettingError
from genewright.settings import check_integer, check_positive


@dataclass(frozen=True, kw_only=True)
class Limits:
    """When a run ends: after the first generation at whose end one of the given limits is reached.

    Attributes:
        generations: Generations, at least 1.
        evaluations: Individuals that were evaluated, or failed to be, at least 1; the base is one of them.
        seconds: Seconds on the wall, above 0, counted from each start and resumption of the run anew.
        target: A fitness, the first of several.
    """

    generations: int | None = None
    evaluations: int | None = None
    seconds: float | None = None
    target: float | None = None

    def __post_init__(self) -> None:
        if all(value is None for value in asdict(self).values()):
            raise SettingError(
                "A run needs an end: generations=, evaluations=, seconds= or target=. Write generations=100."
            )
        for name in ("generations", "evaluations"):
            if getattr(self, name) is not None:
                check_integer("evolve", name, getattr(self, name), low=1)
        if self.seconds is not None:
            check_positive("evolve", "seconds", self.seconds)
        target: Any = self.target
        if target is not None and (isinstance(target, bool) or not isinstance(target, int | float) or target != target):
            raise SettingError(f"evolve: target must be a number; received {target!r}.")

    def reached(self, *, generations: int, evaluations: int, seconds: float, best: float | None) -> str:
        """Return which limit is reached, "" for none."""
        if self.target is not None and best is not None and best >= self.target:
            return "target"
        if self.generations is not None and generations >= self.generations:
            return "generations"
        if self.evaluations is not None and evaluations >= self.evaluations:
            return "evaluations"
        return "seconds" if self.seconds is not None and seconds >= self.seconds else ""

    def share(self, *, generations: int, evaluations: int, seconds: float) -> float:
        """Return how much of the run is behind, from 0 to 1, as far as the limits say it."""
        shares = [
            done / limit
            for done, limit in (
                (generations, self.generations),
                (evaluations, self.evaluations),
                (seconds, self.seconds),
            )
            if limit
        ]
        return min(1.0, max(shares, default=0.0))
