"""The JSON form of plain frozen dataclasses, read off the annotations of their fields."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, Self, cast

import numpy as np
from numpy.typing import NDArray

from genewright.edits.layout import layout_from_json, layout_to_json
from genewright.errors import GenewrightError, RecipeError
from genewright.index import Index
from genewright.names import did_you_mean, snake_case
from genewright.noise import Change
from genewright.part import part_from_json, part_to_json
from genewright.plain import plain
from genewright.spec import Spec, as_spec, spec_to_json


class Codec(NamedTuple):
    """How a field of one type is written and read."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


class JsonSerializable:
    """A frozen dataclass with a JSON form: its name and the fields that are not as by default.

    Fields are of the types in `CODECS`, by the words of their annotations. Derive, and decorate with a frozen
    dataclass.
    """

    name: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.name = snake_case(cls.__name__)

    def to_form(self) -> dict[str, Any]:
        """Return the fields that are not as by default, as JSON holds them."""
        form: dict[str, Any] = {}
        for field in dataclasses.fields(cast(Any, self)):
            value = getattr(self, field.name)
            if field.default is dataclasses.MISSING or type(value) is not type(field.default) or value != field.default:
                form[field.name] = CODECS[str(field.type)].write(value)
        return form

    @classmethod
    def from_form(cls, form: Mapping[str, Any]) -> Self:
        """Read what `to_form` wrote.

        Raises:
            RecipeError: It is damaged; the message says where.
        """
        known = {field.name: field for field in dataclasses.fields(cast(Any, cls))}
        values: dict[str, Any] = {}
        for key, value in form.items():
            if key not in known:
                raise RecipeError(f"The recipe is damaged: {cls.name} has no {key!r}. {did_you_mean(key, known)}")
            try:
                values[key] = CODECS[str(known[key].type)].read(value)
            except RecipeError as error:
                raise RecipeError(f"{error} ({cls.name}: {key})") from None
        missing = [n for n, f in known.items() if n not in values and f.default is dataclasses.MISSING]
        if missing:
            raise RecipeError(f"The recipe is damaged: {cls.name} lacks {missing[0]!r}.")
        try:
            return cls(**values)
        except (GenewrightError, TypeError, ValueError) as error:
            raise RecipeError(f"The recipe is damaged: {cls.name}: {error}") from None


def _itself(value: Any) -> Any:
    return value


def _instance(*types: type) -> Codec:
    names = " or ".join("null" if one is type(None) else one.__name__ for one in types)

    def read(value: Any) -> Any:
        wrong_bool = isinstance(value, bool) and bool not in types
        if wrong_bool or not isinstance(value, types):
            raise RecipeError(f"The recipe is damaged: expected {names}, received {str(value)[:80]!r}.")
        return value

    return Codec(_itself, read)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise RecipeError(f"The recipe is damaged: expected a number, received {str(value)[:80]!r}.")
    return float(value)


def _change_to_json(change: Change) -> dict[str, Any]:
    values = {f.name: (getattr(change, f.name), f.default) for f in dataclasses.fields(change)}
    form = {name: value for name, (value, default) in values.items() if value != default}
    return {**form, "bits": list(change.bits)} if change.bits else form


def _change_from_json(form: Any) -> Change:
    if not isinstance(form, Mapping):
        raise RecipeError("The recipe is damaged: a change is an object.")
    entries = dict(cast("Mapping[str, Any]", form))
    if isinstance(entries.get("bits"), list):
        entries["bits"] = tuple(entries["bits"])
    try:
        return Change(**entries)
    except (GenewrightError, TypeError, ValueError) as error:
        raise RecipeError(f"The recipe is damaged: a change cannot be read ({error}).") from None


def _array_to_json(array: NDArray[np.float64]) -> dict[str, Any]:
    data = np.ascontiguousarray(array, "<f8")
    return {"shape": list(data.shape), "float64": base64.b64encode(data.tobytes()).decode()}


def _array_from_json(form: Any) -> NDArray[np.float64]:
    try:
        shape = [int(size) for size in form["shape"]]
        data = np.frombuffer(base64.b64decode(form["float64"], validate=True), "<f8")
        if any(size < 0 for size in shape) or math.prod(shape) != data.size:
            raise ValueError("shape and bytes do not agree")
        return data.reshape(shape).astype(np.float64)
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise RecipeError(f"The recipe is damaged: an array cannot be read ({error}).") from None


def _spec_to_json(spec: Spec) -> Any:
    return plain(spec_to_json(spec))


def _spec_from_json(form: Any) -> Any:
    try:
        return as_spec("The recipe", plain(form))
    except GenewrightError as error:
        raise RecipeError(f"The recipe is damaged: {error}") from None


CODECS: dict[str, Codec] = {
    "str": _instance(str),
    "str | None": _instance(str, type(None)),
    "bool": _instance(bool),
    "int": _instance(int),
    "float": Codec(float, _number),
    "Any": Codec(plain, plain),
    "Spec": Codec(_spec_to_json, _spec_from_json),
    "Index": Codec(Index.to_json, Index.from_json),
    "Part": Codec(part_to_json, part_from_json),
    "Layout": Codec(layout_to_json, layout_from_json),
    "Change": Codec(_change_to_json, _change_from_json),
    "Numbers": Codec(_array_to_json, _array_from_json),
}
"""Codecs by annotation; a file that defines a type of its own adds its codec here."""
