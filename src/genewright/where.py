"""`where`: which tensors, and which units of them, an operator may change."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from genewright.calls import Answering, answered
from genewright.errors import RecipeError, SelectionError, SettingError, UnsupportedError
from genewright.names import did_you_mean, matches
from genewright.network import Network
from genewright.part import Part, along
from genewright.references import Reference, is_layer, is_layer_class, is_tensor, said
from genewright.state import State
from genewright.tensor import ROLES, Tensor
from genewright.units import how_to_tell, units_of, without_place

UnitsLike = Mapping[str, Any] | Sequence[int] | Sequence[bool] | np.ndarray[Any, Any]


LayersLike = str | Callable[..., Any]
"""A layer's name, a pattern on names, a class of layers or its name, or a layer itself."""

if TYPE_CHECKING:

    class WhereSetting:
        """A setting that holds a `Where`, and takes all that `as_where` makes one of."""

        def __get__(self, owner: object, kind: Any = None) -> Where: ...
        def __set__(self, owner: object, value: Where | LayersLike | Iterable[LayersLike] | None) -> None: ...


class Selected(NamedTuple):
    """A chosen tensor, and what of it may change.

    Attributes:
        tensor: The tensor.
        units: The positions of the chosen units along `axis`: every gate's of a cell, all of a head; None for all.
        axis: The axis along which the layer's units lie.
    """

    tensor: Tensor
    units: tuple[int, ...] | None = None
    axis: int | None = None

    @property
    def part(self) -> Part:
        """The elements that may change: those of the chosen units."""
        return () if self.units is None else along(self.axis, self.units)


@dataclass(frozen=True)
class UnitChoice:
    """Chosen units of the layers that match a pattern; `count` is the length of the mask, where one was given."""

    layer: str
    units: tuple[int, ...]
    count: int | None = None


@dataclass(frozen=True, kw_only=True)
class Where(metaclass=Answering):
    """A choice of tensors; make one with `gw.where`.

    Attributes:
        patterns: Patterns on tensor and layer names; those that begin with ``!`` exclude.
        roles: Roles to keep; empty keeps all.
        layers: Class names of layers, or patterns on layer names, to keep; empty keeps all.
        units: Chosen units.
        frozen: Also choose frozen parameters and buffers.
    """

    made_by = "gw.where('layer1.*', roles='kernel')"

    patterns: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    units: tuple[UnitChoice, ...] = ()
    frozen: bool = False

    def __post_init__(self) -> None:
        for role in self.roles:
            if role not in ROLES:
                usual = "A layer's weights are its 'kernel'. There are: " if role.startswith("weight") else ""
                near = ", ".join(ROLES) + "." if usual else did_you_mean(role, ROLES, shown=9)
                raise SettingError(f"where: no role is called {role!r}. {usual}{near}")

    def select(self, network: Network, *, need: str = "") -> list[Selected]:
        """Return the chosen tensors in the network's order; trainable ones, unless named in full or `frozen`.

        Args:
            network: Where to choose.
            need: What the caller needs of a tensor, for the message when nothing is left.

        Raises:
            SelectionError: Nothing is chosen; the message lists near names, or says that all matches are frozen.
        """
        if self.units or network.state:
            return self._select(network, need)
        tensors = tuple(network.tensors.values())
        key = (self, *map(id, tensors))  # they never change, and those of a key live as long as it does
        found = _SELECTED.get(key)
        if found is None:
            if len(_SELECTED) >= _KEPT:
                _SELECTED.clear()
            found = _SELECTED[key] = (tuple(self._select(network, need)), tensors)
        return list(found[0])

    def _select(self, network: Network, need: str) -> list[Selected]:
        every = not (self.patterns or self.roles or self.layers)
        matching = [t for t in network.tensors.values() if every or self._matches(t)]
        chosen = [t for t in matching if t.trainable or self.frozen or self._names(t)]
        for state in network.state.values():
            if (state.trainable and (every or self._covers_state(state))) or state.name in self.patterns:
                raise UnsupportedError(
                    f"{state.name!r} {state.what}, so that no operator can change it. {state.advice} Or leave it out: "
                    f"where=('*', '!{state.name}')."
                )
        if not chosen:
            raise SelectionError(self._nothing(network, matching, need))
        selected = [Selected(t, axis=t.unit_axis) for t in chosen]
        if self.units:
            selected = [one for tensor in chosen if (one := self._units_of(tensor, network)) is not None]
            if not selected:
                raise SelectionError(
                    "where: units were given for "
                    + ", ".join(repr(u.layer) for u in self.units)
                    + ", and no chosen tensor belongs to a layer of that name. "
                    + did_you_mean(self.units[0].layer, network.tensors_by_layer())
                )
        return selected

    def has_layer(self, name: str, kind: str) -> bool:
        """Return whether a layer is chosen: patterns are read as names of layers, or as class names.

        Args:
            name: The layer's name.
            kind: Its class name.

        Example:
            >>> where("blocks.*", "!blocks.0").has_layer("blocks.1.act", "ReLU"), where("GELU").has_layer("act", "ReLU")
            (True, False)
        """
        if self.layers and not any(pattern == kind or matches(pattern, name) for pattern in self.layers):
            return False
        return self._allows(lambda pattern: pattern == kind or _covers(pattern, name))

    def to_json(self) -> Any:
        """Return the shortest JSON form: a list of patterns where that is all, else an object."""
        if not (self.roles or self.layers or self.units or self.frozen):
            return list(self.patterns)
        form: dict[str, Any] = {}
        for key in ("patterns", "roles", "layers"):
            if value := getattr(self, key):
                form[key] = list(value)
        if self.units:
            form["units"] = [[u.layer, list(u.units), u.count] for u in self.units]
        if self.frozen:
            form["frozen"] = True
        return form

    @classmethod
    def from_json(cls, form: Any) -> Where:
        """Read what `to_json` wrote."""
        if form == []:
            return cls()
        if isinstance(form, list | str):
            return as_where(form)  # pyright: ignore[reportUnknownArgumentType]
        try:
            known: dict[str, Any] = dict(form)
            units = tuple(UnitChoice(str(n), tuple(int(u) for u in us), c) for n, us, c in known.pop("units", []))
            lists = {k: tuple(str(v) for v in known.pop(k, [])) for k in ("patterns", "roles", "layers")}
            frozen = bool(known.pop("frozen", False))
        except (TypeError, ValueError, AttributeError):
            raise RecipeError(f"A `where` in a recipe cannot be read: {form!r}.") from None
        if known:
            raise RecipeError(f"A `where` in a recipe has unknown entries: {', '.join(known)}.")
        return cls(**lists, units=units, frozen=frozen)

    def _covers_state(self, state: State) -> bool:
        inside = not self.layers or any(matches(pattern, state.layer) for pattern in self.layers)
        return inside and not self.roles and self._allows(lambda pattern: _covers(pattern, state.name))

    def _matches(self, tensor: Tensor) -> bool:
        if self.roles and tensor.role not in self.roles:
            return False
        if self.layers and not any(
            pattern == tensor.layer_type or matches(pattern, tensor.layer) for pattern in self.layers
        ):
            return False
        names = (tensor.name, *tensor.aliases)
        return self._allows(lambda pattern: any(_covers(pattern, name) for name in names))

    def _allows(self, covers: Callable[[str], bool]) -> bool:
        """Whether patterns choose what they cover: one of the plain ones does, if there are any, and no ``!`` does."""
        wanted = [p for p in self.patterns if not p.startswith("!")]
        unwanted = [p[1:] for p in self.patterns if p.startswith("!")]
        return (not wanted or any(map(covers, wanted))) and not any(map(covers, unwanted))

    def _names(self, tensor: Tensor) -> bool:
        names = (tensor.name, *tensor.aliases)
        return any(name in self.patterns for name in names) or any(
            "/" in pattern and pattern.replace("/", ".") in names for pattern in self.patterns
        )

    def _units_of(self, tensor: Tensor, network: Network) -> Selected | None:
        choices = self.units
        if tensor.unit_axis is None and tensor.role in ("buffer", "statistic"):
            return None
        held = units_of(tensor, network)
        why = without_place(tensor, network) if held is None else ""
        if why and any(matches(choice.layer, tensor.layer.partition(".parametrizations.")[0]) for choice in choices):
            hint = f" {how_to_tell(tensor)}" if tensor.doubt else ""
            raise SelectionError(f"where: {why}, so none can be chosen there. Leave this layer's units out.{hint}")
        for choice in choices if held is not None else ():
            assert held is not None
            if not any(matches(choice.layer, layer) for layer in held.layers):
                continue
            has = f"{tensor.name!r} of shape {tensor.shape} has {held.count} {held.what}"
            if choice.count is not None and choice.count != held.count:
                raise SelectionError(f"where: the mask for {choice.layer!r} has {choice.count} entries, but {has}.")
            outside = [u for u in choice.units if not 0 <= u < held.count]
            if outside:
                raise SelectionError(f"where: {has}, 0 to {held.count - 1}; received {outside[0]}.")
            return Selected(tensor, held.positions(choice.units), held.axis)
        return None

    def _nothing(self, network: Network, matching: Sequence[Tensor], need: str) -> str:
        asked = describe(self)
        if matching:
            names = ", ".join(t.name for t in matching[:5])
            return (
                f"where: {len(matching)} tensors match {asked} ({names}, ...), but none is trainable. "
                "Frozen parameters and buffers change only when they are named in full, or with "
                "gw.where(..., frozen=True)."
            )
        if not network.tensors:
            state = f" Left alone are {said_state(network.state)}." if network.state else ""
            return f"where: the network has no tensors at all that operators change.{state}"
        near = ""
        for pattern in self.patterns:
            near += (
                f" {did_you_mean(pattern.strip('!*.'), [*network.tensors, *filter(None, network.tensors_by_layer())])}"
            )
        if self.layers:
            types = dict.fromkeys(t.layer_type for t in network.tensors.values() if t.layer_type)
            near += f" Layer types: {', '.join(types)}." if types else ""
        if self.roles:
            near += f" Roles here: {', '.join(dict.fromkeys(t.role for t in network.tensors.values()))}."
        return f"where: no tensor matches {asked}{' ' + need if need else ''}.{near}"


if not TYPE_CHECKING:
    WhereSetting = Where

EVERYTHING: Any = Where
"""The default factory of a `WhereSetting`: all trainable tensors."""


@answered(
    "gw.where('layer1.*', roles='kernel')",
    {
        "names": "Names and patterns are given by position.",
        "exclude": "To leave out, write a pattern with an exclamation mark: '!head.*'.",
    },
)
def where(
    *patterns: LayersLike | Sequence[LayersLike],
    roles: str | Iterable[str] = (),
    layers: LayersLike | Iterable[LayersLike] = (),
    units: UnitsLike | None = None,
    frozen: bool = False,
) -> Where:
    """Choose tensors of a network for an operator.

    A tensor is chosen when it meets every condition that is given. Only trainable parameters are chosen, unless a
    tensor is named in full (``"bn1.running_mean"``) or `frozen` is true.

    Args:
        *patterns: Patterns on names: ``"layer1.*"``, ``"*.bias"``; ``*`` is any text, ``?`` any one character, and all
            else is itself, brackets too (a slash, as in Keras's ``hidden/kernel``, is a dot); a layer's name chooses
            all that is under it; ``"!head.*"`` excludes. A layer or parameter of the model, ``net.head``, may stand for
            its name, and a class of layers for all its layers.
        roles: Roles of tensors, such as ``"kernel"`` or ``"bias"`` (see `genewright.network.ROLES`).
        layers: Classes of layers or their names (``"Conv2d"``, ``"Dense"``), layers, or patterns on layer names.
        units: Units that may change: a boolean mask or positions, for every chosen layer, or a dict from (patterns on)
            layer names to such. A unit is an output feature or channel; in a recurrent layer a cell with all its gates
            (in every layer and direction that one module holds); in a framework's own attention a head; in an embedding
            a row.
        frozen: Also choose frozen parameters and buffers.

    Raises:
        SettingError: A pattern is not a str, a role is unknown, or `units` is neither mask nor positions.

    Example:
        >>> where("layer1.*", "!*.bias", roles="kernel").patterns
        ('layer1.*', '!*.bias')
    """
    if len(patterns) == 1 and isinstance(patterns[0], list | tuple):
        patterns = tuple(cast("list[Any]", patterns[0]))
    classes = tuple(pattern.__name__ for pattern in patterns if isinstance(pattern, type) and is_layer_class(pattern))
    names = tuple(_pattern(pattern) for pattern in patterns if not is_layer_class(pattern))
    if isinstance(roles, Mapping | AbstractSet) or not isinstance(roles, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SettingError(f"where: roles is one of {', '.join(ROLES)}, or a list of these; received {roles!r}.")
    if isinstance(layers, Mapping | AbstractSet):
        raise _refusal(cast(object, layers))
    for name, given in (("roles", roles), ("layers", layers)):
        if given == []:
            raise SettingError(f"where: an empty list of {name} chooses nothing. For all of them leave {name}= out.")
    if not isinstance(frozen, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SettingError(f"where: frozen is True or False; received {frozen!r}.")
    one = isinstance(layers, str) or not isinstance(layers, Iterable) or is_layer(cast(object, layers))
    many = cast("Iterable[LayersLike]", (layers,) if one else layers)
    asked = tuple(each.__name__ if isinstance(each, type) else _pattern(each) for each in many)
    if classes and (names or asked):
        raise SettingError(
            f"where: a class of layers narrows a choice by names. Write gw.where(..., layers={classes[0]!r})."
        )
    return Where(
        patterns=names,
        roles=(roles,) if isinstance(roles, str) else tuple(roles),
        layers=classes or asked,
        units=_unit_choices(units),
        frozen=frozen,
    )


def as_where(value: Any) -> Where:
    """Return a `Where` for all the forms that a `where` setting accepts."""
    if value is None:
        return Where()
    if isinstance(value, Where):
        return value
    if isinstance(value, str) or is_layer(value) or is_tensor(value) or is_layer_class(value):
        return where(value)
    if isinstance(value, Iterable) and not isinstance(value, Mapping | AbstractSet):
        names = tuple(cast("Iterable[Any]", value))
        if names or value == ():
            return where(*names)
        raise SettingError("where: an empty list chooses nothing. For all that is trainable leave where= out.")
    raise _refusal(cast(object, value))


def _pattern(value: object) -> str:
    """Return a pattern for a name or a pattern; for a layer or tensor, what becomes its name."""
    if isinstance(value, str) and value not in ("", "!"):
        return value
    if is_layer(value) or is_tensor(value):
        return Reference(value)
    raise _refusal(value)


def _refusal(value: object) -> SettingError:
    hint = ""
    if isinstance(value, Mapping) and set(cast("Mapping[Any, Any]", value)) <= {"roles", "layers", "units", "frozen"}:
        call = ", ".join(f"{key}={entry!r}" for key, entry in cast("Mapping[Any, Any]", value).items())
        hint = f" Write gw.where({call})."
    elif isinstance(value, Mapping):
        hint = " Of a dict, write its names: where=list(names)."
    elif isinstance(value, AbstractSet):
        hint = " A set has no order, and the recipe holds one: write a list."
    elif callable(value):
        hint = " Of a function, write the names: where=[name for name, _ in model.named_parameters() if ...]."
    return SettingError(
        "where: expected a pattern on names such as 'layer1.*', a layer or a class of layers, a list of these, or "
        f"gw.where(...); received {said(cast(object, value))}.{hint}"
    )


def as_layers(who: str, value: Any) -> Where:
    """Return a `Where` that chooses whole layers, for all the forms that a `where` setting accepts.

    Args:
        who: The operator, for the message.
        value: The setting.

    Raises:
        SettingError: It also chooses by role, unit or frozen tensor, which a layer as a whole does not have.
    """
    chosen = as_where(value)
    odd = [f"{key}={getattr(chosen, key)!r}" for key in ("roles", "units", "frozen") if getattr(chosen, key)]
    if odd:
        raise SettingError(
            f"{who}: where chooses layers, by name or class name; received {', '.join(odd)} as well, which choose "
            "tensors and units. Write where='blocks.*.act', where='ReLU', or gw.where('blocks.*', layers='ReLU')."
        )
    return chosen


_KEPT = 256
_SELECTED: dict[tuple[Any, ...], tuple[tuple[Selected, ...], tuple[Tensor, ...]]] = {}
"""What was chosen of which tensors: the same choices are made again and again, also of other views of one model."""


def describe(chosen: Where) -> str:
    """Say a choice in words, for messages and plans."""
    parts = [repr(p) for p in chosen.patterns]
    parts += [f"{key}={', '.join(v)}" for key in ("roles", "layers") if (v := getattr(chosen, key))]
    parts += [f"{len(u.units)} units of {u.layer!r}" for u in chosen.units]
    return ", ".join(parts) or "(everything trainable)"


def said_state(states: Mapping[str, State]) -> str:
    """Say how much state a network has that no operator changes."""
    names = ", ".join(list(states)[:3]) + (", ..." if len(states) > 3 else "")
    size = sum(state.size for state in states.values())
    return f"{len(states)} pieces of state that are no plain tensors ({names}), {size:,} values"


@functools.lru_cache(maxsize=4096)  # one choice is asked of one network again and again
def _covers(pattern: str, name: str) -> bool:
    """Whether a pattern matches the name of a tensor or layer, or that of a layer around it.

    A slash, which Keras puts between the parts of a name, may stand for a dot.
    """
    parts = name.split(".")
    if any(matches(pattern, ".".join(parts[:end])) for end in range(1, len(parts) + 1)):
        return True
    return "/" in pattern and _covers(pattern.replace("/", "."), name)


def _unit_choices(units: UnitsLike | None) -> tuple[UnitChoice, ...]:
    if units is None:
        return ()
    if isinstance(units, Mapping):
        return tuple(_unit_choice(str(name), value) for name, value in units.items())
    return (_unit_choice("*", units),)


def _unit_choice(layer: str, value: Any) -> UnitChoice:
    mask = np.asarray(value)
    if mask.ndim != 1 or (mask.size and mask.dtype.kind not in "biu"):
        raise SettingError(
            f"where: units of {layer!r} are a boolean mask or positions, one-dimensional; "
            f"received an array of shape {mask.shape} and dtype {mask.dtype}."
        )
    if mask.dtype.kind == "b":
        return UnitChoice(layer, tuple(int(u) for u in np.flatnonzero(mask)), mask.size)
    return UnitChoice(layer, tuple(sorted({int(u) for u in mask})))
