"""calibrate: the strength at which mutants change a model's function by as much as was asked for."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any, cast

from genewright.backends import backend_of
from genewright.errors import SettingError
from genewright.named import operators_for
from genewright.operator import AnyOperator, Operator, OperatorLike
from genewright.operators.combinators.sequence import Sequence
from genewright.seeding import Noise, Seed, seed_required
from genewright.settings import check_integer
from genewright.showing import Meter
from genewright.strengths.calibration import Calibration
from genewright.strengths.effect import OUTPUT_CHANGE, Effect
from genewright.strengths.search import search
from genewright.where import Where

_CALL = "gw.{}(model, gw.GaussianNoise(), data, target=0.05, seed=246)"


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
        example: As in `gw.mutate`; None takes the first batch of the data.
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
        whole = search(acting, float(target), effect, meter)
        if not per_layer:
            return whole
        parts = _by_layer(whole.operator, model)
        share = effect.of(whole.operator, OUTPUT_CHANGE) / math.sqrt(len(parts))
        equal: list[AnyOperator] = []
        for at, (layer, part) in enumerate(parts.items()):
            meter.within(0.5 + 0.5 * at / (len(parts) + 1), 0.5 + 0.5 * (at + 1) / (len(parts) + 1))
            equal.append(search(part, share, effect, meter, OUTPUT_CHANGE, layer).operator)
        meter.within(1 - 0.5 / (len(parts) + 1), 1.0)
        return search(Sequence(operators=tuple(equal)), float(target), effect, meter)


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
