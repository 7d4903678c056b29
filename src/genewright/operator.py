"""Operator: a frozen set of settings that proposes edits; and the registry of all operators.

A class that derives from `Operator` or `Combinator` and is not abstract registers itself under the snake_case of its
name. Operators in other packages are found through the entry point group ``genewright.operators``.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import math
import pkgutil
from abc import ABC, ABCMeta, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from types import UnionType
from typing import TYPE_CHECKING, Any, ClassVar, cast

from genewright.attributes import LookedAt
from genewright.calls import called, making
from genewright.edits import Edit
from genewright.errors import RecipeError, RecipeVersionError, SettingError, UnknownNameError
from genewright.names import camel_case, did_you_mean, snake_case
from genewright.network import Network
from genewright.plugins import broken, plugins
from genewright.process_state import LOCK
from genewright.references import said
from genewright.seeding import Noise
from genewright.settings import as_setting, check_names, check_positions, setting_to_json
from genewright.where import Where

ENTRY_POINTS = "genewright.operators"

_registry: dict[str, type[Registered]] = {}
_discovered: list[str] = []


class _Made(ABCMeta):
    """Makes operators of settings as people write them; what is missing or too many is said in words."""

    @property
    def __signature__(cls) -> inspect.Signature:
        """What `inspect.signature` and a prompt's help say: the settings."""
        return making(cls)

    if not TYPE_CHECKING:  # what a call takes is read off the dataclass

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            if dataclasses.is_dataclass(cls):
                check_names(cls, kwargs)
                check_positions(cls, args)
            _refuse_unfinished(cls)
            settings = {name: as_setting(value) for name, value in kwargs.items()}
            made = super().__call__(*map(as_setting, args), **settings)
            for field in dataclasses.fields(made) if dataclasses.is_dataclass(cls) else ():
                if field.type == "LayerSetting" and not isinstance(getattr(made, field.name), str | None):
                    _refuse_layers(cls.__name__, field.name, getattr(made, field.name))
            return made

        def __add__(cls, other: Any) -> Any:
            """Refuse: classes are no operators yet."""
            raise SettingError(f"+ joins operators, and {called(cls)} is a class. Make one of it: {called(cls)}().")

        __radd__ = __mul__ = __rmul__ = __and__ = __add__


def _refuse_unfinished(cls: Any) -> None:
    """Refuse a class that is no operator yet.

    Raises:
        SettingError: It is no frozen dataclass, or lacks a method; the message says what to write.
    """
    if missing := sorted(cls.__abstractmethods__):
        hint = " Write: def propose(self, networks, noise): yield Map(...)." if "propose" in missing else ""
        raise SettingError(f"{cls.__name__} is not finished: it lacks {', '.join(missing)}.{hint}")
    annotated = inspect.get_annotations(cls)
    known: dict[str, Any] = getattr(cls, "__dataclass_fields__", {})
    forgotten = [name for name, kind in annotated.items() if name not in known and "ClassVar" not in str(kind)]
    params: Any = getattr(cls, "__dataclass_params__", None)
    if forgotten or params is None or not params.frozen:
        raise SettingError(
            f"{cls.__name__}: an operator is a frozen dataclass. "
            "Write @dataclass(frozen=True, kw_only=True) above the class."
        )


@functools.lru_cache(maxsize=1024)
def _setting_names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def line_of(function: Any) -> str:
    """Return where a function of somebody's operator begins: "file.py:12"; "" where that is not known."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return "" if code is None else f"{code.co_filename}:{code.co_firstlineno}"


_ACT = "An operator is settings alone. Write gw.mutate(model, operator, seed=246)."


class Registered(LookedAt, metaclass=_Made):
    """What operators and combinators share: settings with a JSON form, and a registered name.

    Attributes:
        name: The registered name, the class's name in snake_case.
        version: To be raised when the same settings and seed would give other bytes: a recipe names it.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    looked_for: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("mutate", "apply", "run", "step", "forward", "fit", "transform", "apply_to", "perturb"), _ACT),
        "plan": "Write gw.plan(model, operator, seed=246).",
        "seed": "The seed is said where it acts: gw.mutate(model, operator, seed=246).",
        "replace": "Write dataclasses.replace(operator, setting=value).",
        "to_dict": "Write .settings(), or .to_json() for the name as well.",
        "get_params": "Write .settings().",
        "set_params": "Settings do not change. Write dataclasses.replace(operator, setting=value).",
    }

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.name = snake_case(cls.__name__)
        if ABC not in cls.__bases__:
            known = _registry.get(cls.name)
            if known is not None and (known.__module__, known.__qualname__) != (
                cls.__module__,
                cls.__qualname__,
            ):
                raise SettingError(
                    f"Two operators are called {cls.name!r}: {known.__module__}.{known.__qualname__} "
                    f"and {cls.__module__}.{cls.__qualname__}. Rename one."
                )
            _registry[cls.name] = cls

    def settings(self) -> dict[str, Any]:
        """Return every setting in a form that JSON can hold."""
        return {name: setting_to_json(getattr(self, name)) for name in _setting_names(type(self))}

    def __add__(self, other: OperatorLike) -> Combinator:
        """Return a `Sequence`, in which `other` acts after this one."""
        return _combined("sequence", self, other)

    def __or__(self, other: OperatorLike) -> Combinator:
        """Return a `OneOf`: the seed chooses which of the two acts."""
        return _combined("one_of", self, other)

    def __radd__(self, other: OperatorLike) -> Combinator:
        """Return a `Sequence`, in which this one acts after `other`."""
        return _combined("sequence", other, self)

    def __ror__(self, other: OperatorLike) -> Combinator:
        """Return a `OneOf`: the seed chooses which of the two acts."""
        return _combined("one_of", other, self)

    if not TYPE_CHECKING:  # no operation of operators: a type checker says so itself

        def __mul__(self, other: Any) -> Any:
            """Refuse: three times, or three times as strong?"""
            strong = "a stronger one has a larger setting, such as gw.GaussianNoise(std=0.03)"
            raise SettingError(f"{self.name} * {said(other)}: for several in a row write [operator] * 3; {strong}.")

        __rmul__ = __mul__

        def __and__(self, other: Any) -> Any:
            """Refuse: both is `+`."""
            raise SettingError(f"{self.name} & {said(other)}: for one after the other write first + second.")

        __rand__ = __sub__ = __and__

    def to_json(self) -> dict[str, Any]:
        """Return ``{"operator": "name@version", "settings": {...}}``."""
        return {"operator": f"{self.name}@{self.version}", "settings": self.settings()}


class Operator(Registered, ABC):
    """A frozen set of settings that proposes edits. Derive, decorate with a frozen dataclass, write `propose`.

    Attributes:
        keeps: What a mutation by this operator keeps; the conformance suite tests each claim.
            "shape": every tensor's shape. "function": the outputs (float64, relative error under 1e-9).
            "ends": the outputs that are still there when inputs or outputs of the model grow or shrink, likewise.
        inverse: The same mutation applied twice gives the first bytes back.
        follows_units: `where` chooses units, by the kernels that write them; their columns in what reads them, and the
            gains of norms behind them, change along, though `where` does not name these tensors. Frozen ones do not.
    """

    keeps: ClassVar[frozenset[str]] = frozenset()
    inverse: ClassVar[bool] = False
    follows_units: ClassVar[bool] = False

    def claims(self) -> frozenset[str]:
        """Return what a mutation with these settings keeps: `keeps`, unless the settings decide."""
        return self.keeps

    def limit(self) -> float:
        """Return the largest change of an output, relative to the largest output, that this mutation may cause."""
        return math.inf

    def fits(self) -> bool:
        """Whether values are fitted on the example: a replay then needs that very example, which the recipe names."""
        return False

    def donors(self) -> tuple[str, ...]:
        """Return the names, in ``donors=``, of other networks that it reads."""
        return ()

    def note(self, networks: tuple[Network, ...]) -> str:
        """Return what a user should know of this mutation beyond its edits, for the plan; "" for nothing."""
        return ""

    def instead(self) -> str:
        """Return what to write where it would change outputs that it claims to keep; "" where nothing is known."""
        return ""

    def resolve(self, networks: tuple[Network, ...], noise: Noise) -> Operator:
        """Return the operator with every choice made that it leaves to the seed; the recipe holds that one.

        To resolve what is resolved changes nothing. The core resolves before it asks for edits.

        Raises:
            GenewrightError: There is nothing to choose from.
        """
        return self

    @abstractmethod
    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        """Yield the edits for ``networks[0]``; read networks, never write them, and draw only from `noise`.

        Args:
            networks: The network as it is now; then the donors, in the order of `donors`.
            noise: Seeded noise of this step.

        Raises:
            GenewrightError: The operator does not fit this network. Nothing has been changed then.
        """


class Combinator(Registered, ABC):
    """An operator made of operators: it proposes nothing itself, but says which of them act."""

    @abstractmethod
    def choose(self, network: Network, noise: Noise) -> Iterator[tuple[str, AnyOperator]]:
        """Yield (place, operator) for those that act, in order; the place becomes part of the operator's path.

        Args:
            network: The network at the moment when the choice is made.
            noise: Seeded noise of this choice.
        """

    @abstractmethod
    def parts(self) -> tuple[AnyOperator, ...]:
        """Return the operators that it is made of."""


AnyOperator = Operator | Combinator
OperatorLike = AnyOperator | str
"""An operator, or the name of one that acts with its default settings: "gaussian_noise", "GaussianNoise"."""

if TYPE_CHECKING:

    class OperatorSetting:
        """A setting that holds an operator, and takes the name of one."""

        def __get__(self, owner: object, kind: Any = None) -> AnyOperator: ...
        def __set__(self, owner: object, value: OperatorLike) -> None: ...

    class OperatorsSetting:
        """A setting that holds operators, and takes one, names, or any collection of these."""

        def __get__(self, owner: object, kind: Any = None) -> tuple[AnyOperator, ...]: ...
        def __set__(self, owner: object, value: OperatorLike | Iterable[OperatorLike]) -> None: ...

else:
    OperatorSetting = AnyOperator
    OperatorsSetting = tuple[AnyOperator, ...]


def as_operators(who: str, value: Any) -> tuple[AnyOperator, ...]:
    """Return one operator, or several, as a tuple; names become operators with their default settings.

    Args:
        who: Who asks, for the message.
        value: An operator, a name, or a collection of these.

    Raises:
        SettingError: There is none, or something else is among them.
        UnknownNameError: No operator has a name that is given.
    """
    if isinstance(value, Operator):
        return (value,)
    if isinstance(value, Mapping):
        raise SettingError(
            f"{who}: expected an operator, or a list of operators; received a dict. Write gw.Zero(rate=0.1), or of a "
            "dict of operators list(operators.values())."
        )
    one = isinstance(value, str | Combinator) or not isinstance(value, Iterable)
    given = cast("tuple[Any, ...]", (value,) if one else tuple(cast("Iterable[Any]", value)))
    if not given:
        raise SettingError(f"{who}: expected at least one operator; received none.")
    return tuple(_as_operator(who, each) for each in given)


def _as_operator(who: str, value: Any) -> AnyOperator:
    if isinstance(value, Operator | Combinator):
        return value
    if isinstance(value, str):
        return make_operator(snake_case(value.replace("-", "_")), {})
    hint = ""
    if isinstance(value, UnionType):
        hint = " Of classes, | makes a type. Make operators of them first: gw.Zero() | gw.SignFlip()."
    if isinstance(value, type):
        hint = f" Make one of the class, with its settings: {called(value)}()."
    elif callable(value):
        hint = " Of a function of the values, @gw.operator makes one: def shrink(w, noise, *, factor=0.9): ..."
    raise SettingError(f"{who}: expected an operator such as gw.GaussianNoise(std=0.01); received {said(value)}.{hint}")


def changes_layers(operator: AnyOperator) -> bool:
    """Whether an operator may change layers or shapes, which a checkpoint does not let it; a combinator may."""
    return isinstance(operator, Combinator) or "shape" not in operator.claims()


def donors_of(operator: AnyOperator) -> tuple[str, ...]:
    """Return the names of all donors that an operator, or a part of a combinator, reads."""
    if isinstance(operator, Operator):
        return operator.donors()
    return tuple(dict.fromkeys(name for part in operator.parts() for name in donors_of(part)))


def registered() -> dict[str, type[Registered]]:
    """Return all operators by name, in alphabetical order, those of other packages included."""
    _discover()
    return dict(sorted(_registry.items()))


def operator_class(name: str) -> type[Registered]:
    """Return the class of the operator called `name`.

    Raises:
        UnknownNameError: There is none; the message has the nearest.
    """
    if name not in _registry:
        _discover()
    if name not in _registry:
        hint = broken(ENTRY_POINTS) or did_you_mean(name, registered())
        raise UnknownNameError(f"No operator is called {name!r}. {hint}")
    return _registry[name]


def make_operator(name: str, settings: Mapping[str, Any]) -> AnyOperator:
    """Make the operator called `name` from settings in their JSON form.

    Raises:
        UnknownNameError: No operator has this name.
        SettingError: A setting is unknown or out of range.
    """
    cls = operator_class(name)
    types = {field.name: str(field.type) for field in dataclasses.fields(cast(Any, cls))}
    try:
        return cast(AnyOperator, cls(**{key: _decode(value, types.get(key, "")) for key, value in settings.items()}))
    except TypeError as error:
        if isinstance(error, SettingError):
            raise
        raise SettingError(f"{cls.__name__}: {error}") from error


def operator_from_json(form: Any) -> AnyOperator:
    """Read what `Registered.to_json` wrote.

    Raises:
        RecipeError: It is damaged.
        RecipeVersionError: The operator is of another version.
    """
    entry: dict[str, Any] = dict(cast("Mapping[str, Any]", form)) if isinstance(form, Mapping) else {}
    named, settings = entry.get("operator"), entry.get("settings", {})
    if not isinstance(named, str):
        raise RecipeError(f'An operator in JSON is {{"operator": name, "settings": {{...}}}}; received {form!r}.')
    if not isinstance(settings, Mapping):
        raise RecipeError(f"The settings of {named!r} are not an object: {settings!r}.")
    name, _, version = named.partition("@")
    try:
        operator = make_operator(name, cast("Mapping[str, Any]", settings))
    except UnknownNameError as error:
        raise UnknownNameError(
            f"{error} If it is your own, import its module first; on the command line: genewright --load FILE.py ..."
        ) from None
    if version and version != str(operator.version):
        raise RecipeVersionError(
            f"The recipe has {name!r} in version {version}; this installation has version {operator.version}, which "
            f"gives other bytes. Install the version of {type(operator).__module__.split('.')[0]} that wrote it."
        )
    return operator


def _refuse_layers(who: str, name: str, given: Any) -> None:
    """Refuse what is no layer's name.

    Raises:
        SettingError: Always; of several layers it says the call.
    """
    hint = ""
    if isinstance(given, list | tuple):
        each = ", ".join(f"gw.{who}({entry!r})" for entry in cast("list[Any]", given)[:3])
        hint = f" For several layers give several operators: gw.mutate(model, [{each}], ...)."
    raise SettingError(
        f"{who}: {name} is the name of a layer, or the layer itself; received {said(cast(object, given))}.{hint}"
    )


def _combined(name: str, first: Any, second: Any) -> Combinator:
    """Return operators as one; names are operators with their default settings."""
    who = "+" if name == "sequence" else "|"
    parts: list[Any] = []
    for given in (first, second):
        if not isinstance(given, Operator | Combinator | str):
            raise SettingError(
                f"{who} joins operators, such as gw.Zero() {who} gw.SignFlip(); received {said(given)}. For a list of "
                f"operators write gw.{camel_case(name)}([first, second])."
            )
        (one,) = as_operators(who, given)  # (a + b) + c is a + (b + c)
        parts += cast(Combinator, one).parts() if one.name == name and name == "sequence" else [one]
    return cast(Combinator, cast(Any, operator_class(name))(operators=tuple(parts)))


def first_paragraph(cls: type) -> str:
    """Return the first line of a class's docstring, for lists and help texts."""
    return (inspect.getdoc(cls) or "").split("\n", 1)[0]


def _decode(value: Any, kind: str) -> Any:
    """Return a setting from its JSON form, by the words of its field's annotation."""
    if "Where" in kind:
        return Where.from_json(value)
    if "Operator" in kind:
        several = isinstance(value, list)
        return tuple(map(operator_from_json, cast("list[Any]", value))) if several else operator_from_json(value)
    if isinstance(value, list):
        return tuple(_decode(entry, "") for entry in cast("list[Any]", value))
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else value


def _discover() -> None:
    """Import our own operator files and the entry points of others, once."""
    if _discovered:
        return
    with LOCK:  # another thread waits until all are there
        package = importlib.import_module("genewright.operators")
        for module in pkgutil.walk_packages(package.__path__, "genewright.operators."):
            importlib.import_module(module.name)
        for _ in plugins(ENTRY_POINTS):
            pass  # loading one registers its operators
        _discovered.append("done")
