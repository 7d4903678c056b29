"""Measure: what one file of `measures/` defines, and the registry that finds it by name."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, cast

from genewright.calls import Answering, answered
from genewright.errors import SettingError, UnknownNameError
from genewright.names import did_you_mean, snake_case
from genewright.network import Network
from genewright.observation import Chunk, Numbers, UnitLayer
from genewright.plugins import plugins
from genewright.process_state import LOCK
from genewright.seeding import Noise

ENTRY_POINTS = "genewright.measures"


@dataclass(frozen=True)
class Surroundings:
    """What a measure may look at beside the values.

    Attributes:
        network: The network's tensors; its `structure` where the measure reads that.
        noise: Seeded noise, for measures that keep some of the data.
        memo: What measures have worked out of the network for several layers, by keys of their own.
    """

    network: Network
    noise: Noise
    memo: dict[Any, Any] = field(default_factory=dict[Any, Any])


class Gauge(ABC):
    """What a measure knows of one layer while the data streams through."""

    def add(self, chunk: Chunk) -> None:  # noqa: B027  # a measure of weights alone needs no values
        """Take the values of some samples."""

    def add_inputs(self, chunk: Chunk) -> None:  # noqa: B027
        """Take what the layer was given, for measures that read it."""

    @abstractmethod
    def value(self) -> Numbers | Mapping[str, Numbers]:
        """Return one number a unit; of a measure with several columns, by column."""


@dataclass(frozen=True, kw_only=True)
class Measure(ABC, metaclass=Answering):
    """A frozen set of settings that measures units. Derive, decorate with a frozen dataclass, write `start`.

    A class that derives from it and has no abstract methods left is registered under its name in small letters.

    Attributes:
        columns: The columns that it adds to a table; by default one of its own name.
        reads: What it has to see: "gradients" of the loss, "inputs" of the layer, "labels"; and "seed" where it draws.
        by_sample: It needs to know which sample a position belongs to.
        dense: It looks at single values, which embedding rows and experts, nearly all zero, do not keep.
        spare: The units that a network can do without first, for `Narrow(by=...)`: those with the smallest values
            ("low"), the largest ("high"), or "" where the measure does not say.
    """

    name: ClassVar[str] = ""
    columns: ClassVar[tuple[str, ...]] = ()
    reads: ClassVar[frozenset[str]] = frozenset()
    by_sample: ClassVar[bool] = False
    dense: ClassVar[bool] = False
    spare: ClassVar[Literal["low", "high", ""]] = "low"

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if inspect.isabstract(cls) or "start" not in vars(cls):
            return
        cls.name = snake_case(cls.__name__)
        cls.columns = cls.columns or (cls.name,)
        known = _registry.get(cls.name)
        if known is not None and known.__module__ != cls.__module__:
            raise SettingError(f"Two measures are called {cls.name!r}: in {known.__module__} and in {cls.__module__}.")
        _registry[cls.name] = cls

    @abstractmethod
    def start(self, layer: UnitLayer, around: Surroundings) -> Gauge | None:
        """Return the gauge of one layer; None where the measure has no meaning for it: its column is NaN there.

        Args:
            layer: The layer.
            around: What else it may look at.
        """


_registry: dict[str, type[Measure]] = {}
_discovered: list[str] = []

MeasureLike = str | Measure | type[Measure]


@answered(who="gw.neurons.all_measures")
def all_measures() -> dict[str, type[Measure]]:
    """Return all measures by name, in alphabetical order, those of other packages included.

    >>> "dormancy" in all_measures()
    True
    """
    if not _discovered:
        with LOCK:  # another thread waits until all are there
            for _ in plugins(ENTRY_POINTS):
                pass  # loading one registers its measures
            _discovered.append("done")
    return dict(sorted(_registry.items()))


def measures_for_pruning() -> tuple[str, ...]:
    """Return the names of measures that say from a batch without labels which units can be spared."""
    known = all_measures().items()
    return tuple(name for name, cls in known if cls.spare and not cls.reads & {"gradients", "labels"})


def as_measures(who: str, wanted: MeasureLike | Iterable[MeasureLike]) -> tuple[Measure, ...]:
    """Return measures for all the forms in which they are asked for.

    Args:
        who: The caller, for messages.
        wanted: Names, classes or measures with settings; one or several.

    Raises:
        UnknownNameError: No measure has a name; the message lists near ones.
        SettingError: Something is no measure, or none is asked for, or two give one column.
    """
    single = isinstance(wanted, str | Measure) or inspect.isclass(wanted) or not hasattr(wanted, "__iter__")
    several = [cast(MeasureLike, wanted)] if single else list(cast("Iterable[MeasureLike]", wanted))
    found = tuple(_one(who, each) for each in several)
    columns = [column for each in found for column in each.columns]
    if not found or len(set(columns)) < len(columns):
        raise SettingError(f"{who}: measures are different ones, at least one; received {several!r}.")
    return found


def _one(who: str, wanted: object) -> Measure:
    if isinstance(wanted, Measure):
        return wanted
    known = all_measures()
    if isinstance(wanted, str):
        if wanted not in known:
            raise UnknownNameError(f"{who}: no measure is called {wanted!r}. {did_you_mean(wanted, known)}")
        return cast("Callable[[], Measure]", known[wanted])()
    if inspect.isclass(wanted) and issubclass(wanted, Measure):
        return cast("Callable[[], Measure]", wanted)()
    raise SettingError(f"{who}: a measure is a name ({', '.join(known)}) or a Measure; received {wanted!r}.")
