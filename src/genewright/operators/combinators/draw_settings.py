"""An operator whose settings the seed draws."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from genewright.errors import SettingError
from genewright.network import Network
from genewright.noise import choice, uniform01
from genewright.operator import AnyOperator, Combinator, OperatorSetting, as_operators
from genewright.operators.weights.gaussian_noise import GaussianNoise
from genewright.seeding import Noise
from genewright.settings import check_names

_NOISE: Any = GaussianNoise


@dataclass(frozen=True, kw_only=True)
class DrawSettings(Combinator):
    """Let an operator act with settings that the seed draws, from ranges and from lists.

    setting = low + (high - low) * u with u ~ U(0, 1), or an entry of a list, each as likely.

    A setting with a range is low + (high - low) * u with u uniform on [0, 1); where both ends are ints, each int from
    low to high is as likely. The recipe holds the operator with the settings that were drawn.

    Args:
        operator: The operator; what is not drawn stays as it is in it.
        ranges: (low, high) by the setting's name.
        choices: Values by the setting's name, each as likely.

    Raises:
        SettingError: The operator has no such setting, a range is empty, or the operator refuses an end of a range or
            a choice.

    Example:
        >>> import torch, genewright as gw
        >>> mutation = gw.DrawSettings(operator=gw.Zero(), ranges={"rate": (0.1, 0.4)})
        >>> mutant = gw.mutate(torch.nn.Linear(4, 2), mutation, seed=1)
        >>> 0.1 <= gw.recipe(mutant).steps[0].operator.rate < 0.4
        True

    References:
        Bergstra and Bengio, "Random Search for Hyper-Parameter Optimization", JMLR 13, 2012.
    """

    operator: OperatorSetting = field(default_factory=_NOISE, kw_only=False)
    ranges: Any = ()
    choices: Any = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "operator", as_operators("DrawSettings", self.operator)[0])
        object.__setattr__(self, "ranges", tuple(_ranges(self.ranges)))
        object.__setattr__(self, "choices", tuple(_choices(self.choices)))
        names = [name for name, *_ in (*self.ranges, *self.choices)]
        check_names(type(self.operator), dict.fromkeys(names))
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise SettingError(f"DrawSettings: {twice[0]!r} is to be drawn twice. Give one range, or one list.")
        for name, *values in (*self.ranges, *((name, *values) for name, values in self.choices)):
            for value in values:
                self._with({name: value})

    def parts(self) -> tuple[AnyOperator, ...]:
        return (self.operator,)

    def choose(self, network: Network, noise: Noise) -> Iterator[tuple[str, AnyOperator]]:
        drawn: dict[str, Any] = {}
        for name, low, high in self.ranges:
            share = float(uniform01(noise.stream(name), 0))
            whole = isinstance(low, int) and isinstance(high, int)
            drawn[name] = low + int(share * (high - low + 1)) if whole else low + (high - low) * share
        for name, values in self.choices:
            drawn[name] = values[choice(noise.stream(name), (1.0,) * len(values))]
        yield "drawn", self._with(drawn)

    def _with(self, settings: Mapping[str, Any]) -> AnyOperator:
        try:
            return cast(AnyOperator, dataclasses.replace(cast(Any, self.operator), **settings))
        except SettingError as error:
            raise SettingError(f"DrawSettings: {error}") from error


def _ranges(given: Any) -> Iterator[tuple[str, float, float]]:
    for name, *ends in _entries(given):
        pair = ends[0] if len(ends) == 1 else ends
        numbers = cast("tuple[Any, ...]", pair if isinstance(pair, tuple | list) else ())
        whole = all(isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in numbers)
        if len(numbers) != 2 or not whole or not numbers[0] < numbers[1]:
            raise SettingError(
                "DrawSettings: ranges are (low, high) with low < high by the setting's name, such as "
                f"ranges={{'rate': (0.1, 0.4)}}; received {pair!r} for {name!r}."
            )
        yield str(name), numbers[0], numbers[1]


def _choices(given: Any) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for name, *rest in _entries(given):
        values = rest[0] if len(rest) == 1 else None
        if not isinstance(values, tuple | list) or not values:
            raise SettingError(
                "DrawSettings: choices are lists of values by the setting's name, such as "
                f"choices={{'init': ('split', 'silent')}}; received {values!r} for {name!r}."
            )
        yield str(name), tuple(cast("tuple[Any, ...]", values))


def _entries(given: Any) -> Iterator[tuple[Any, ...]]:
    """Yield (name, ...) of a mapping as people write it, or of the tuples that JSON gives back."""
    if isinstance(given, Mapping):
        yield from cast("Mapping[Any, Any]", given).items()
        return
    entries = cast("tuple[Any, ...]", given if isinstance(given, tuple | list) else (given,))
    for entry in entries:
        if not isinstance(entry, tuple | list) or not entry:
            raise SettingError(f"DrawSettings: expected values by the setting's name; received {given!r}.")
        yield tuple(cast("tuple[Any, ...]", entry))
