"""The search for a strength: a bracket around the target, and bisection of it."""

from __future__ import annotations

import math
from collections.abc import Callable

from genewright.errors import SettingError
from genewright.operator import AnyOperator
from genewright.showing import Meter
from genewright.strengths.calibration import Calibration, curve_text
from genewright.strengths.effect import Effect
from genewright.strengths.scaling import scaled, strength_setting

_WIDER = 4.0  # the factor by which the strength is searched for a bracket
_WIDEST = 4.0**30
_CLOSE = 0.02  # of the target: nearer is not looked for
_STEPS = 24
_USUAL = 10  # strengths that a search tries, more or less


def search(
    operator: AnyOperator, target: float, effect: Effect, meter: Meter, measure: str | None = None, layer: str = ""
) -> Calibration:
    """Bisect the factor on an operator's strength.

    Args:
        operator: The operator.
        target: The effect that is asked for.
        effect: Measures it.
        meter: Is told how far the search has come.
        measure: "output_change", where that is asked for besides the effect's own measure.
        layer: The layer that the operator is limited to, for messages.

    Raises:
        SettingError: No strength reaches the target, the effect jumps over it, or the strength is 0.
    """
    setting = strength_setting(operator) or "factor"
    unit = float(getattr(operator, setting)) if setting != "factor" else 1.0
    if unit == 0:
        raise SettingError(
            f"calibrate: {type(operator).__name__} has {setting}=0, from which nothing can be searched. Write "
            f"{setting}=0.01."
        )
    most = 1 / unit if setting == "rate" else _WIDEST
    seen: dict[float, float] = {}

    def tried(factor: float) -> float:
        if factor not in seen:
            meter.at(len(seen), len(seen) + max(_USUAL - len(seen), 1))
            seen[factor] = effect.of(scaled(operator, factor), measure)
        return seen[factor]

    low, high = _bracket(tried, target, most)
    points = tuple((factor * unit, value) for factor, value in sorted(seen.items()))
    named = measure or effect.measure
    of_layer = f" of {layer!r}" if layer else ""
    if high is None or low is None:
        ends = "largest" if high is None else "smallest"
        raise SettingError(
            f"calibrate: no strength of {type(operator).__name__}{of_layer} gives {named} {target:.4g}; the {ends} one "
            f"tried does not reach it. Take another target or operator, or leave layers out (where=). The curve:\n"
            f"{curve_text(points, setting, target)}"
        )
    near = max(_CLOSE * target, min(effect.resolution if measure is None else 0.0, target) / 2)
    for _ in range(_STEPS):
        if min(abs(value - target) for value in seen.values()) <= near or high / low < 1 + 1e-4:
            break
        middle = math.sqrt(low * high)
        low, high = (low, middle) if tried(middle) >= target else (middle, high)
    best = min(seen, key=lambda factor: (abs(seen[factor] - target), factor))
    points = tuple((factor * unit, value) for factor, value in sorted(seen.items()))
    if abs(seen[best] - target) > target / 2:
        raise SettingError(
            f"calibrate: {named} of {type(operator).__name__}{of_layer} jumps over {target:.4g}: the nearest strength "
            f"gives {seen[best]:.4g}. Take more data or another measure. The curve:\n"
            f"{curve_text(points, setting, target)}"
        )
    made = scaled(operator, best)
    strength = float(getattr(made, setting)) if setting != "factor" else best
    return Calibration(made, setting, strength, seen[best], target, named, points)


def _bracket(tried: Callable[[float], float], target: float, most: float) -> tuple[float | None, float | None]:
    """Return a factor below the target and one at or above it, None for what there is none of."""
    factor = min(1.0, most)
    if tried(factor) >= target:
        while tried(factor) >= target:
            high, factor = factor, factor / _WIDER
            if factor < 1 / _WIDEST:
                return None, high
        return factor, high  # pyright: ignore[reportPossiblyUnboundVariable]
    while factor < most:
        low, factor = factor, min(factor * _WIDER, most)
        if tried(factor) >= target:
            return low, factor
    return factor, None
