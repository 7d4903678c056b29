"""@gw.operator: a function of a tensor's values becomes an operator, with settings, recipes, plans and the command."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import traceback
import types
from abc import ABC
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from genewright.calls import answered
from genewright.draws import Draws
from genewright.edits import Edit, Write
from genewright.errors import GenewrightError, OperatorError, SettingError
from genewright.names import camel_case, snake_case
from genewright.network import Network
from genewright.operator import Operator
from genewright.seeding import Noise
from genewright.settings import setting_to_json
from genewright.tensor import Tensor
from genewright.where import EVERYTHING, WhereSetting, as_where

Values = NDArray[Any]

_WRITE = "Write: @gw.operator, then def shrink(w, noise, *, factor=0.9): return w * factor"
_HANDED = ("noise", "tensor")
_RESERVED = frozenset(dir(Operator)) | {"where", "function"}


class FunctionOperator(Operator, ABC):
    """What operators share that a function of the values makes: `where`, and one edit for every chosen tensor.

    Attributes:
        function: What was decorated.
        where: Which tensors and units; all trainable ones by default.
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"shape"})
    function: ClassVar[Callable[..., Any]]

    where: WhereSetting

    def __post_init__(self) -> None:
        object.__setattr__(self, "where", as_where(self.where))
        for known in dataclasses.fields(cast(Any, self)):
            value, default = getattr(self, known.name), known.default
            optional = value is None and "None" in str(known.type)
            if isinstance(default, bool | int | float | str) and not optional:
                object.__setattr__(self, known.name, _of_kind(self, known.name, value, type(default)))

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        """Yield one edit for every chosen tensor: the function, which runs when the edit is applied."""
        given = {known.name: getattr(self, known.name) for known in dataclasses.fields(cast(Any, self))}
        del given["where"]
        said = ", ".join(f"{name}={value!r}" for name, value in given.items())
        for selected in self.where.select(networks[0]):
            yield Write(
                tensor=selected.tensor.name,
                part=selected.part,
                values=functools.partial(self._values, selected.tensor, noise, given),
                summary=f"w -> {self.name}(w{', ' if said else ''}{said})",
            )

    def _values(self, tensor: Tensor, noise: Noise, given: dict[str, Any], old: Values) -> Values:
        """Return the new values.

        Raises:
            OperatorError: The function fails, or returns something else.
        """
        handed = {"noise": Draws(noise, tensor.name, old), "tensor": tensor}
        wanted = inspect.signature(type(self).function).parameters
        who = f"{self.name} on {tensor.name!r} of shape {tensor.shape}"
        try:
            # Its own copy: a function may write into what it receives.
            made = type(self).function(old.copy(), *(handed[name] for name in _HANDED if name in wanted), **given)
        except GenewrightError:
            raise
        except Exception as error:
            raise OperatorError(f"{who} raised {type(error).__name__}: {error} ({self._line(error)}).") from error
        new = np.asarray(made) if made is not None else np.empty((), object)
        if made is None or new.dtype.kind not in "fiu" or new.shape != old.shape:
            got = "None" if made is None else f"{type(made).__name__} of shape {new.shape} and dtype {new.dtype}"
            raise OperatorError(
                f"{who} has to return the new values, real numbers of shape {old.shape}; it returned {got} "
                f"({self._line(None)})."
            )
        with np.errstate(over="ignore"):
            return new.astype(old.dtype, copy=False)

    def _line(self, error: Exception | None) -> str:
        """Return where the author's code failed, or begins."""
        code = inspect.unwrap(type(self).function).__code__
        frames = traceback.extract_tb(None if error is None else error.__traceback__)
        here = [frame.lineno for frame in frames if frame.filename == code.co_filename]
        return f"{code.co_filename}:{here[-1] if here else code.co_firstlineno}"


@answered("@gw.operator")
def operator(function: Callable[..., Any]) -> Callable[..., Operator]:
    """Make an operator of a function of a tensor's values.

    The function receives the chosen values of one tensor as a NumPy array (float32; float64 where the tensor is), and
    returns the new ones, of the same shape; they are rounded once to the tensor's type. Where it has an argument called
    `noise`, that draws (`Draws`): ``noise.normal()``, ``noise.uniform()``, ``noise.mask(0.3)``, the same numbers for
    the same seed anywhere. One called `tensor` says what is known of the tensor (`Tensor`: name, shape, role, layer).
    Keyword-only arguments are the settings; each needs a default that JSON can hold. `where` is added.

    What comes back is the class of the operator, registered under the function's name: recipes, plans, undo, files, the
    command and `gw.check_operator` work on it. It is not called on arrays any more; ``shrink.function`` is. For what
    changes layers or reads more than one tensor, derive `gw.Operator`.

    Args:
        function: ``(w)`` or ``(w, noise)`` or ``(w, noise, tensor)``, and settings behind ``*``.

    Raises:
        SettingError: The function has no such form; the message shows one.

    Example:
        >>> import torch, genewright as gw
        >>> @gw.operator
        ... def jitter(w, noise, *, std=0.1, rate=0.5):
        ...     return w + std * noise.normal() * noise.mask(rate)
        >>> net = torch.nn.Linear(3, 2)
        >>> mutant = gw.mutate(net, jitter(std=1.0, where="weight"), seed=246)
        >>> torch.equal(mutant.bias, net.bias), gw.recipe(mutant).steps[0].name
        (True, 'jitter')
    """
    settings = _settings(function)
    named = function.__name__

    def fill(namespace: dict[str, Any]) -> None:
        namespace["__doc__"] = inspect.getdoc(function) or f"The function `{named}` of {function.__module__}."
        namespace["__module__"], namespace["__qualname__"] = function.__module__, function.__qualname__
        namespace["function"] = staticmethod(function)
        namespace["__annotations__"] = {each.name: _annotation(each) for each in settings} | {"where": WhereSetting}
        namespace["where"] = field(default_factory=EVERYTHING, kw_only=True)
        for place, each in enumerate(settings):
            namespace[each.name] = field(default=each.default, kw_only=place > 0)

    made = types.new_class(camel_case(named), (FunctionOperator,), {}, fill)
    return cast("Callable[..., Operator]", dataclass(frozen=True, kw_only=True)(made))


def _settings(function: Any) -> list[inspect.Parameter]:
    """Return the settings of a function, having checked its form."""
    if not inspect.isfunction(function):
        hint = " A class that derives from gw.Operator is decorated with @dataclass(frozen=True, kw_only=True)."
        hint = hint if inspect.isclass(function) else f" {_WRITE}"
        raise SettingError(f"gw.operator decorates a function; received {function!r}.{hint}")
    who = f"gw.operator: {function.__name__}"
    if snake_case(camel_case(function.__name__)) != function.__name__:
        raise SettingError(f"{who} is no name for an operator: take words of lower case with _ between them.")
    given = list(inspect.signature(function).parameters.values())
    values, settings = (
        [p for p in given if p.kind is not p.KEYWORD_ONLY],
        [p for p in given if p.kind is p.KEYWORD_ONLY],
    )
    loose = [p.name for p in given if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    names = [p.name for p in values]
    if loose or not names or names[0] in _HANDED or names[1:] != [name for name in _HANDED if name in names[1:]]:
        raise SettingError(
            f"{who} takes ({', '.join(names)}): first the values, then `noise` and `tensor` where they are needed, "
            f"then settings behind *. {_WRITE}"
        )
    for each in settings:
        if each.name in _RESERVED or each.name.startswith("_"):
            raise SettingError(f"{who}: no setting can be called {each.name!r}, which operators use for themselves.")
        if each.default is each.empty:
            raise SettingError(f"{who}: the setting {each.name!r} needs a default: {function.__name__}() has to work.")
        if isinstance(each.default, list | dict | set):
            raise SettingError(f"{who}: the default of {each.name!r} can be changed by anyone; write a tuple.")
        try:
            setting_to_json(each.default)
        except SettingError as error:
            raise SettingError(f"{who}: the default of {each.name!r}: {error}") from None
    return settings


def _annotation(setting: inspect.Parameter) -> Any:
    """Return the type of a setting: as annotated, else that of its default."""
    default: object = setting.default
    if setting.annotation is not setting.empty:
        return setting.annotation
    return Any if default is None else type(default)


def _of_kind(who: object, name: str, value: Any, kind: type) -> Any:
    """Return a setting's value, of the kind of its default; a whole number does for a number.

    Raises:
        SettingError: It is of another kind.
    """
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind and not (kind is str and isinstance(value, str)):
        words = {bool: "True or False", int: "a whole number", float: "a number", str: "text"}[kind]
        raise SettingError(f"{type(who).__name__}: {name} must be {words}; received {value!r}.")
    return value
