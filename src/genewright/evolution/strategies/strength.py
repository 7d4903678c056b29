"""Strength that adapts itself: by inheritance (SAMR), or by the share of successes (the 1/5 rule)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from genewright.errors import SettingError
from genewright.evolution.strategies.configured import Configured
from genewright.noise import choice, uniform01
from genewright.operator import AnyOperator
from genewright.seeding import Noise
from genewright.settings import check_fraction, check_positive
from genewright.strengths.scaling import scalable


@dataclass(frozen=True, kw_only=True)
class SelfAdaptive(Configured):
    """Let each individual carry a strength of its own, which its children inherit and change.

    A child's strength is its parent's times a factor: `factor` or 1 / `factor`, as likely, and a share `reset` of the
    children starts from 1 again. What survives has had a good strength: nobody sets it. The strength multiplies the
    mutation's own (`std`, `scale`, `bound`, or `rate` where it has none of these); one that has none, such as a change
    of layers, is applied as it is and hands its parent's strength on.

    Args:
        factor: Above 1.
        least: The smallest strength, above 0.
        most: The largest.
        reset: Share of the children that start from 1, in [0, 1].

    Raises:
        SettingError: A setting is out of its range.

    Example:
        >>> import genewright as gw
        >>> gw.GeneticAlgorithm(population=20, parents=5, strength=gw.SelfAdaptive(factor=2.0)).strength.factor
        2.0

    References:
        Clune et al., "Natural Selection Fails to Optimize Mutation Rates for Long-Term Adaptation on Rugged Fitness
        Landscapes", PLoS Comput. Biol. 4(9), 2008 (self-adapted rates); Schwefel, "Numerical Optimization of Computer
        Models", 1981, chapter 5 (the log-normal and two-point rules).
    """

    factor: float = 1.5
    least: float = 1e-4
    most: float = 1e4
    reset: float = 0.0

    def __post_init__(self) -> None:
        for name in ("factor", "least", "most"):
            check_positive(self, name, getattr(self, name))
        check_fraction(self, "reset", self.reset)
        if self.factor <= 1 or self.least > self.most:
            raise SettingError(
                f"SelfAdaptive: factor must be above 1 and least at most most; received factor={self.factor}, "
                f"least={self.least}, most={self.most}."
            )

    def inherited(self, strength: float, operator: AnyOperator, noise: Noise) -> float:
        """Return a child's strength, its parent's where the operator has none: what is not tried does not change."""
        if not scalable(operator):
            return strength
        if self.reset and uniform01(noise.stream("reset")) < self.reset:
            return 1.0
        up = choice(noise.stream("strength"), (1.0, 1.0))
        return min(max(strength * self.factor if up else strength / self.factor, self.least), self.most)


@dataclass(frozen=True, kw_only=True)
class OneFifth(Configured):
    """Raise the strength of all mutations while more than a fifth of the children succeed, and lower it otherwise.

    After each child the strength is multiplied by `factor` where it exceeds its parent, and by factor^(-1/4) where not:
    at one success in five it stays.

    Args:
        factor: Above 1.
        least: The smallest strength, above 0.
        most: The largest.

    Raises:
        SettingError: A setting is out of its range.

    Example:
        >>> import genewright as gw
        >>> rule, noise = gw.OneFifth(factor=16.0), gw.GaussianNoise(std=0.1)
        >>> rule.after(1.0, noise, success=True), rule.after(1.0, noise, success=False)
        (16.0, 0.5)

    References:
        Rechenberg, "Evolutionsstrategie", 1973; Kern et al., "Learning probability distributions in continuous
        evolutionary algorithms", Natural Computing 3, 2004, section 3.1 (this form of the rule).
    """

    factor: float = 1.5
    least: float = 1e-4
    most: float = 1e4

    def __post_init__(self) -> None:
        for name in ("factor", "least", "most"):
            check_positive(self, name, getattr(self, name))
        if self.factor <= 1 or self.least > self.most:
            raise SettingError(
                f"OneFifth: factor must be above 1 and least at most most; received factor={self.factor}, "
                f"least={self.least}, most={self.most}."
            )

    def after(self, strength: float, operator: AnyOperator | None, *, success: bool) -> float:
        """Return the strength after a child of an operator, as it was where that has none.

        Roots of a root are exact on every machine.
        """
        if operator is None or not scalable(operator):
            return strength
        changed = strength * self.factor if success else strength / math.sqrt(math.sqrt(self.factor))
        return min(max(changed, self.least), self.most)


Strength = SelfAdaptive | OneFifth
