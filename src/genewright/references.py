"""References: layers and tensors that a setting says by the object itself, until `mutate` puts their names there."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from genewright.errors import SettingError

_LAYERS = frozenset(
    {"Module", "Layer"}
)  # torch.nn.Module, keras.layers.Layer; a base of either name in other frameworks
_TENSORS = frozenset({"Parameter", "Variable", "KerasVariable"})

if TYPE_CHECKING:

    class LayerSetting:
        """A setting that names a layer; a layer object may be given, and becomes its name."""

        def __get__(self, owner: object, kind: Any = None) -> str | None: ...
        def __set__(self, owner: object, value: str | Callable[..., Any] | None) -> None: ...

    class DonorSetting:
        """A setting that names a donor; a model, a state dict or a checkpoint's path may be given."""

        def __get__(self, owner: object, kind: Any = None) -> str: ...
        def __set__(
            self, owner: object, value: str | os.PathLike[str] | Callable[..., Any] | Mapping[Any, Any]
        ) -> None: ...

else:
    LayerSetting = str | None
    DonorSetting = str

NO_LAYER: Any = None
"""The default of a `LayerSetting`: the seed chooses."""


MATE: Any = "mate"
"""The default of a `DonorSetting` for a second parent; `gw.evolve` gives it under this name."""


class Reference(str):  # noqa: SLOT000  # it holds an object
    """A layer or tensor of a model, given as the object; as a text, a name that no layer has.

    Operators are made before they know their network, so the object's name cannot be looked up yet. `mutate` and all
    else that knows the model looks it up before the operator acts, and a recipe holds the name alone.

    Attributes:
        of: The object.
    """

    of: Any

    def __new__(cls, of: Any) -> Self:
        made = super().__new__(cls, f"<{said(of)}>")
        made.of = of
        return made

    def __eq__(self, other: object) -> bool:
        """Whether it is the same object: two layers of one kind have one text."""
        return isinstance(other, Reference) and self.of is other.of

    def __ne__(self, other: object) -> bool:
        """Whether it is another object; `str` would compare the texts."""
        return not self == other

    def __hash__(self) -> int:
        """Agree with equality."""
        return id(self.of)

    def to_json(self) -> str:
        """Refuse: an object has no name before it is looked up in a model."""
        raise SettingError(f"{said(self.of)} is an object of one model, which a file cannot hold. Give its name.")


class Prototype(Reference):
    """A layer object that says of which kind, with which settings, a new layer shall be; its weights are not taken."""


class DonorReference(Reference):
    """A network that weights come from, given as the object: a recipe knows it by its fingerprint, not by a name."""

    def to_json(self) -> str:
        """Return what kind of object it is, of a path the file's name; a replay finds it by its fingerprint."""
        return Path(self.of).name if isinstance(self.of, str) else str.__str__(self)


def as_donor(owner: object, setting: str, value: Any) -> str:
    """Return a donor as operators keep it: its name in ``donors={...}``, a path, or a reference to the object.

    Args:
        owner: The operator, for the message.
        setting: The setting's name, for the message.
        value: A name, a path, a model, a checkpoint or a state dict.

    Raises:
        SettingError: It is none of these.
    """
    if isinstance(value, os.PathLike):
        return DonorReference(os.fspath(cast("os.PathLike[str]", value)))
    if isinstance(value, Reference):
        return value if isinstance(value, DonorReference) else DonorReference(value.of)
    if isinstance(value, str) and value:
        return DonorReference(value) if Path(value).name != value else value
    if value is None or isinstance(value, str | bytes | bool | int | float | list | tuple | type):
        who = type(owner).__name__
        raise SettingError(
            f"{who}: {setting} is a model, a state dict, a checkpoint's path, or a name in donors={{...}}; received "
            f"{said(cast(object, value))}. Write gw.{who}({setting}=model)."
        )
    return DonorReference(value)


def is_layer(value: object) -> bool:
    """Whether it is a layer of some framework, told by its classes' names: none is imported to ask."""
    return not isinstance(value, type) and _descends(type(value), _LAYERS)


def is_layer_class(value: object) -> bool:
    """Whether it is the class of layers of some framework."""
    return isinstance(value, type) and _descends(value, _LAYERS)


def is_tensor(value: object) -> bool:
    """Whether it is a parameter or variable of some framework."""
    return not isinstance(value, type) and _descends(type(value), _TENSORS)


def said(value: object) -> str:
    """Say an object in one short line.

    >>> said([1, 2])
    '[1, 2]'
    """
    if isinstance(value, type):
        return f"the class {value.__name__}"
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 and not is_layer(value) else f"a {type(value).__name__}"


def _descends(cls: type, names: frozenset[str]) -> bool:
    return any(base.__name__ in names for base in cls.__mro__)
