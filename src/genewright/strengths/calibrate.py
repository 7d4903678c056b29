"""calibrate: the strength at which mutants change a model's function by as much as was asked for."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from genewright.backends import backend_of
from genewright.errors import SettingError
from genewright.named import operators_for
from genewright.operator import AnyOperator, Operator, OperatorLike
from genewright.operators.combinators.sequence import Sequence
from genewright.seeding import Noise, Seed, seed_required
from genewright.settings import check_integer
from genewright.showing import Meter
from genewright.strengths.calibration import Calibration, curve_text
from genewright.strengths.effect import OUTPUT_CHANGE, Effect
from genewright.strengths.scaling import scaled, strength_setting
from genewright.where import Where

_CALL = "gw.{}(model, gw.GaussianNoise(), data, target=0.05, seed=246)"
_WIDER = 4.0  # the factor by which the strength is searched for a bracket
_WIDEST = 4.0**30
_CLOSE = 0.02  # of the target: nearer is not looked for
_STEPS = 24
_USUAL = 10  # strengths that a search tries, more or less


@seed_required(_CALL.format("calibrate"))
def calibrate(
    model: Any,
    operator: OperatorLike | Iterable[OperatorLike],
    data: Any,
    *,
    seed: Seed,
    target: float = 0.05,
    measure: Any = "disagreement",
    per_layer: bool = False,
    num_seeds: int = 8,
    example: Any = None,
    donors: Mapping[str, Any] | None = None,
    batch_size: int = 256,
    progress: bool = False,
) -> AnyOperator:
    """Return an operator as strong as its mutants' effect on `data` is to be.

    The strength (`std`, `scale`, `bound`, else `rate`) is found by bisection. Noise and masks are nested: with one
    seed, stronger noise is the same noise times a factor, and a larger rate changes the same elements and more; so in
    the mean over seeds the effect grows with the strength, and `num_seeds` says how nearly. The model is mutated in
    place and is as it was afterwards, byte for byte. `gw.calibration` takes the same arguments and returns the curve.

    Args:
        model: A model; nothing of it changes.
        operator: An operator with a strength above 0, where the search begins; or a combinator or list of such, whose
            parts are all made stronger by the same factor.
        data: As in `gw.compare`; it is kept in memory, as are the original's outputs.
        seed: The mutants' seeds are derived from it.
        target: The effect that is asked for, above 0.
        measure: "disagreement": the share of predictions that become another class. "output_change": |f' - f| / |f|,
            Euclidean norms over the first output of all samples. Or a metric of `gw.compare`: how far it moves.
        per_layer: Each layer's share is equal: the result is a `Sequence` of one operator for each chosen layer. Alone,
            each changes the outputs as much as any other (by "output_change"); together their effect is `target`.
        num_seeds: How many mutants are averaged at every strength.
        example: As in `gw.mutate`.
        donors: As in `gw.mutate`.
        batch_size: Samples a batch, where arrays are split.
        progress: As in `gw.mutate`.

    Returns:
        The operator with the setting changed, as plain as one that you write.

    Raises:
        SettingError: No strength reaches the target (the message shows the curve), or the operator has no strength.
        DataError: The data does not fit the model or the measure.

    Example:
        >>> import torch, genewright as gw
        >>> net, x = torch.nn.Linear(4, 3), torch.randn(200, 4)
        >>> noise = gw.calibrate(net, gw.GaussianNoise(), x, target=0.1, seed=246)
        >>> shares = [1 - gw.compare(net, gw.mutate(net, noise, seed=s), x).agreement for s in range(20)]
        >>> 0.02 < sum(shares) / 20 < 0.3
        True
    """
    return calibration(
        model,
        operator,
        data,
        seed=seed,
        target=target,
        measure=measure,
        per_layer=per_layer,
        num_seeds=num_seeds,
        example=example,
        donors=donors,
        batch_size=batch_size,
        progress=progress,
    ).operator


@seed_required(_CALL.format("calibration"))
def calibration(
    model: Any,
    operator: OperatorLike | Iterable[OperatorLike],
    data: Any,
    *,
    seed: Seed,
    target: float = 0.05,
    measure: Any = "disagreement",
    per_layer: bool = False,
    num_seeds: int = 8,
    example: Any = None,
    donors: Mapping[str, Any] | None = None,
    batch_size: int = 256,
    progress: bool = False,
) -> Calibration:
    """Calibrate an operator as `calibrate` does, and return the curve with it: print it, or draw it.

    Args:
        model: As in `calibrate`, as all others.
        operator: As in `calibrate`.
        data: As in `calibrate`.
        seed: As in `calibrate`.
        target: As in `calibrate`.
        measure: As in `calibrate`.
        per_layer: As in `calibrate`.
        num_seeds: As in `calibrate`.
        example: As in `calibrate`.
        donors: As in `calibrate`.
        batch_size: As in `calibrate`.
        progress: As in `calibrate`.

    Raises:
        SettingError: As in `calibrate`.
        DataError: As in `calibrate`.

    Example:
        >>> import torch, genewright as gw
        >>> found = gw.calibration(torch.nn.Linear(4, 3), gw.Zero(), torch.randn(50, 4), target=0.2, seed=1)
        >>> found.setting, found.operator.rate == found.strength
        ('rate', True)
    """
    if isinstance(target, bool) or not isinstance(target, int | float) or not 0 < target < math.inf:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SettingError(f"calibrate: target is a finite number above 0; received {target!r}.")
    check_integer("calibrate", "num_seeds", num_seeds, low=1)
    seeds = [Noise(seed, salt="calibrate").child(at).stream("seed").key >> 1 for at in range(num_seeds)]
    effect = Effect(model, data, measure, seeds, example=example, donors=donors, batch_size=batch_size)
    several = operators_for(model, operator, "gw.calibrate")
    acting = several[0] if len(several) == 1 else Sequence(operators=several)
    with Meter("gw.calibrate", progress) as meter:
        meter.within(0.0, 0.5 if per_layer else 1.0)
        whole = _search(acting, float(target), effect, meter)
        if not per_layer:
            return whole
        parts = _by_layer(whole.operator, model)
        share = effect.of(whole.operator, OUTPUT_CHANGE) / math.sqrt(len(parts))
        equal: list[AnyOperator] = []
        for at, (layer, part) in enumerate(parts.items()):
            meter.within(0.5 + 0.5 * at / (len(parts) + 1), 0.5 + 0.5 * (at + 1) / (len(parts) + 1))
            equal.append(_search(part, share, effect, meter, OUTPUT_CHANGE, layer).operator)
        meter.within(1 - 0.5 / (len(parts) + 1), 1.0)
        return _search(Sequence(operators=tuple(equal)), float(target), effect, meter)


def _search(
    operator: AnyOperator, target: float, effect: Effect, meter: Meter, measure: str | None = None, layer: str = ""
) -> Calibration:
    """Bisect the factor on an operator's strength."""
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


def _by_layer(operator: AnyOperator, model: Any) -> dict[str, Operator]:
    """Return the operator for each layer that it chooses, by the layer's name."""
    where = getattr(operator, "where", None)
    if not isinstance(operator, Operator) or not isinstance(where, Where):
        raise SettingError(
            f"calibrate(per_layer=True): {type(operator).__name__} has no `where`, so it cannot be limited to a layer. "
            "Take an operator that has, such as gw.GaussianNoise()."
        )
    names: dict[str, list[str]] = {}
    for selected in where.select(backend_of(model).network(model)):
        names.setdefault(selected.tensor.layer, []).append(selected.tensor.name)
    limited = {
        layer: dataclasses.replace(where, patterns=tuple(held), roles=(), layers=(), frozen=False)
        for layer, held in names.items()
    }
    return {layer: dataclasses.replace(cast(Any, operator), where=own) for layer, own in limited.items()}
