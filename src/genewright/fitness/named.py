"""Several fitnesses beside each other, by name."""

from __future__ import annotations

from typing import Any

from genewright.errors import SettingError
from genewright.fitness.fitness import Fitness, judged, signature_of
from genewright.seeding import Noise


class Named(Fitness):
    """Return several numbers by name: the objectives of `gw.NSGA2`, or "fitness" and the measures of `gw.MAPElites`.

    Args:
        **parts: A fitness, or a function of a model, for each name; each returns one number.

    Raises:
        SettingError: There is none, or something else is among them.

    Example:
        >>> import torch, genewright as gw
        >>> both = gw.fitness.Named(fitness=lambda model: 1.0, size=gw.fitness.Penalty("size"))
        >>> both(torch.nn.Linear(3, 1))
        {'fitness': 1.0, 'size': -4.0}
    """

    def __init__(self, **parts: Any) -> None:
        for name, part in parts.items():
            if not isinstance(part, Fitness) and not callable(part):
                raise SettingError(f"Named: {name} is a fitness or a function of a model; received {part!r}.")
        if not parts:
            raise SettingError("Named: give at least one: gw.fitness.Named(fitness=..., size=...).")
        self.parts = dict(parts)

    def evaluate(self, model: Any, noise: Noise) -> dict[str, Any]:
        return {name: judged(part, model, noise) for name, part in self.parts.items()}

    def signature(self) -> str:
        return f"Named({', '.join(f'{name}={signature_of(part)}' for name, part in self.parts.items())})"
