"""What strategies and policies share: settings with a JSON form, under the name of the class."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, cast

from genewright.calls import Answering
from genewright.errors import SettingError, StoreError, UnknownNameError
from genewright.names import did_you_mean, snake_case
from genewright.settings import check_names, setting_to_json
from genewright.where import Where

_known: dict[str, type[Configured]] = {}


class Configured(metaclass=Answering):
    """Settings that a store can hold: derive, and decorate with a frozen, keyword-only dataclass.

    Attributes:
        name: The class's name in snake_case, by which a store knows it.
    """

    name: ClassVar[str]

    def __new__(cls, *args: object, **kwargs: object) -> Any:
        if dataclasses.is_dataclass(cls):
            check_names(cls, kwargs)
        return super().__new__(cls)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.name = snake_case(cls.__name__)
        _known[cls.name] = cls

    def to_json(self) -> dict[str, Any]:
        """Return ``{"is": name, setting: value, ...}``."""
        fields = dataclasses.fields(cast(Any, self))
        return {"is": self.name, **{field.name: setting_to_json(getattr(self, field.name)) for field in fields}}


def configured_from_json(form: Any) -> Any:
    """Read what `Configured.to_json` wrote.

    Raises:
        UnknownNameError: No such class has been imported.
        StoreError: It is damaged.
    """
    entries: dict[str, Any] = dict(cast("Mapping[str, Any]", form)) if isinstance(form, Mapping) else {}
    name = entries.pop("is", None)
    if name not in _known:
        raise UnknownNameError(
            f"No strategy is called {name!r} here. {did_you_mean(str(name), _known)} One of your own has to be "
            "imported before the run is resumed."
        )
    cls = _known[str(name)]
    kinds = {field.name: str(field.type) for field in dataclasses.fields(cast(Any, cls))}
    try:
        return cast(Any, cls)(**{key: _decoded(value, kinds.get(key, "")) for key, value in entries.items()})
    except (SettingError, TypeError) as error:
        raise StoreError(f"The run's strategy cannot be read: {error}") from error


def names_of(kind: type) -> list[str]:
    """Return the names of the classes of a kind, as they are written."""
    return [cls.__name__ for cls in _known.values() if issubclass(cls, kind) and cls is not kind]


def _decoded(value: Any, kind: str) -> Any:
    if "Where" in kind:
        return Where.from_json(value)
    if isinstance(value, Mapping) and "is" in value:
        return configured_from_json(value)
    if isinstance(value, list):
        return tuple(_decoded(entry, "") for entry in cast("list[Any]", value))
    return cast("object", value)
