"""The strength as an operator's first setting, before the rate that all share: GaussianNoise(10, 0.3).

A dataclass takes the fields of its last base first. So an operator names one of these behind the base that brings the
rate, and says its own default.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Std:
    """A standard deviation."""

    std: float = field(default=0.01, kw_only=False)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A scale, where the distribution has no standard deviation or none that is usual."""

    scale: float = field(default=0.01, kw_only=False)


@dataclass(frozen=True, kw_only=True)
class Bound:
    """The largest change."""

    bound: float = field(default=0.01, kw_only=False)
