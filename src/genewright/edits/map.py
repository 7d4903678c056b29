"""Map: a named function of a tensor's old values."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

from genewright.edits.edit import Line, View
from genewright.edits.json_form import CODECS, Codec, JsonSerializable
from genewright.edits.site import Site
from genewright.edits.values import ValueEdit
from genewright.errors import RecipeError
from genewright.index import Index
from genewright.names import did_you_mean
from genewright.noise import Stream
from genewright.part import Part, part_shape
from genewright.tensor import COMPLEX, FLOATS, Tensor

_NONE = Index()


@dataclass(frozen=True)
class Given:
    """What a function may know beside the values.

    Attributes:
        dtype: The tensor's dtype, to which the result is rounded once.
        part: The elements that the values are.
        stream: Random words, where the edit names a stream.
        tensor: The tensor's name.
        shape: The whole tensor's shape.
    """

    dtype: str
    part: Part
    stream: Stream | None
    tensor: str = ""
    shape: tuple[int, ...] = ()


class Function(JsonSerializable, ABC):
    """A function of a part's values, one a file. Derive, decorate with a frozen dataclass of its settings.

    Attributes:
        stored: It moves elements as they are stored, bit for bit; otherwise it receives numbers.
    """

    stored: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, values: Any, given: Given) -> Any:
        """Return the new values.

        Args:
            values: The part's elements, an array of its own that may be written into: NumPy's, or the framework's on a
                device. Indexing, `swapaxes`, `reshape` and arithmetic are what both know.
            given: What else is known.
        """

    @abstractmethod
    def words(self) -> str:
        """Say what it does, for a plan."""

    def fault(self, shape: tuple[int, ...], part: Part) -> str:
        """Return why it does not fit a part of this shape, or "": after that it cannot fail."""
        return ""

    def places(self) -> Index:
        """Return which elements it changes, by their places in the whole tensor; empty where the part says it."""
        return _NONE

    def exact(self) -> bool:
        """Whether nothing is rounded, whatever the dtype."""
        return False

    def takes(self, dtype: str) -> bool:
        """Whether elements of this dtype can be changed so: numbers, or all where they only move."""
        return self.stored or dtype in FLOATS

    def expected(self, size: int) -> float:
        """Return how many of so many elements it changes, about."""
        return size


def functions() -> dict[str, type[Function]]:
    """Return the functions by name."""
    return {cls.name: cls for cls in Function.__subclasses__()}


@dataclass(frozen=True, kw_only=True)
class Map(ValueEdit):
    """Replace a part of a tensor by a function of it.

    Attributes:
        tensor: The tensor's name.
        function: The function with its settings.
        part: The elements.
        stream: Name of the random words that it draws from, within the step's noise; None where it draws nothing.
    """

    tensor: str
    function: Function
    part: Part = ()
    stream: str | None = None

    def check_tensor(self, tensor: Tensor, views: Sequence[View]) -> None:
        fault = self.function.fault(part_shape(self.part, tensor.shape), self.part)
        if fault:
            raise self.mismatch(tensor, f"{self.function.name}: {fault}")
        self.refuse_places(self.function.places(), tensor)

    def rounds(self, view: View) -> bool:
        return not self.function.exact() and view.tensor(self.tensor).dtype != "float64"

    def apply(self, site: Site) -> None:
        stream = None if self.stream is None else site.noise.stream(self.stream)
        tensor = site.store.tensor(self.tensor)
        given = Given(tensor.dtype, self.part, stream, tensor.name, tensor.shape)
        site.rewrite(self.tensor, self.part, lambda old: self.function(old, given), numbers=not self.function.stored)

    def lines(self, view: View) -> Iterator[Line]:
        for line in super().lines(view):
            size = math.prod(part_shape(self.part, line.shape))
            yield replace(line, expected=self.function.expected(size * (2 if line.dtype in COMPLEX else 1)))

    def takes(self, dtype: str) -> bool:
        return self.function.takes(dtype)

    def moves(self) -> bool:
        return self.function.stored

    def words(self) -> str:
        return self.function.words()


def _function_to_json(function: Function) -> dict[str, Any]:
    return {"is": function.name, **function.to_form()}


def _function_from_json(form: Any) -> Function:
    entries: dict[str, Any] = dict(cast("Mapping[str, Any]", form)) if isinstance(form, Mapping) else {}
    name, known = entries.pop("is", None), functions()
    if not isinstance(name, str) or name not in known:
        raise RecipeError(f"The recipe is damaged: no function is called {name!r}. {did_you_mean(str(name), known)}")
    return known[name].from_form(entries)


CODECS["Function"] = Codec(_function_to_json, _function_from_json)
