"""Data in batches: arrays are split, loaders are passed through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np

from genewright.errors import DataError
from genewright.settings import check_integer

_FORMS = (
    "Expected an array X, a tuple (X, y), a dict of arrays, a DataLoader, or an iterable of batches, each x or (x, y)"
)


@runtime_checkable
class Array(Protocol):
    """An array or tensor of any framework: it has a shape, and slices of it have one too."""

    @property
    def shape(self) -> Any:
        """The sizes of its axes; samples lie along the first."""
        ...

    def __getitem__(self, index: Any, /) -> Any: ...


@dataclass(frozen=True)
class Batch:
    """Some samples: what the model takes, and the targets where there are any."""

    inputs: Any
    targets: Any = None


def batches(data: Any, *, batch_size: int = 256) -> Iterator[Batch]:
    """Yield the batches of `data`.

    Args:
        data: One of
            an array or tensor X, the samples along its first axis;
            a tuple (X, y) of samples and targets, where X may itself be a tuple or dict of arrays (several inputs);
            a list [X, y] of the two, where y is no second batch of X: other axes, or classes beside floats;
            a dict of arrays, handed to the model as keyword arguments;
            a DataLoader or any other iterable of batches, each x or (x, y).
        batch_size: Samples a batch; an iterable's own batches stay as they are.

    Raises:
        DataError: The data has another form, or its arrays differ in length.

    >>> [len(batch.inputs) for batch in batches(np.zeros((5, 3)), batch_size=2)]
    [2, 2, 1]
    """
    check_integer("data", "batch_size", batch_size, low=1)
    if _is_pair(data):
        data = tuple(cast("list[Any]", data))
    if isinstance(data, tuple):
        pair = cast(tuple[Any, ...], data)
        if len(pair) != 2:
            raise DataError(
                f"data: a tuple is (X, y); received {len(pair)} entries. Several inputs go together: ((X1, X2), y)."
            )
        yield from _split(_as_arrays(pair[0]), _as_arrays(pair[1]), batch_size)
    elif isinstance(data, Mapping | Array):
        yield from _split(_as_arrays(data), None, batch_size)
    elif isinstance(data, Iterable) and not isinstance(data, str | bytes):
        for item in cast(Iterable[Any], data):
            yield _batch(item)
    else:
        raise DataError(f"data: {_FORMS}; received a {type(data).__name__}.")


def number_of_batches(data: Any, *, batch_size: int = 256) -> int | None:
    """Return how many batches `batches` yields of `data`; None where that is not known before they have come.

    >>> number_of_batches(np.zeros((5, 3)), batch_size=2), number_of_batches(iter([]))
    (3, None)
    """
    inputs = cast("list[Any]", data)[0] if isinstance(data, tuple) or _is_pair(data) else data
    if isinstance(data, tuple) or isinstance(inputs, Mapping | Array):
        if not isinstance(batch_size, int) or batch_size < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
            return None  # `batches` says so
        try:
            return -(-count(inputs) // batch_size)
        except (DataError, TypeError, IndexError):
            return None
    return len(data) if isinstance(data, Sized) else None


def first_samples(value: Any, number: int) -> Any:
    """Return the first samples of an array, or of a tuple or dict of arrays.

    >>> first_samples((np.arange(5), np.arange(10).reshape(5, 2)), 1)
    (array([0]), array([[0, 1]]))
    """
    return _part(value, slice(number))


def count(value: Any) -> int:
    """Return the number of samples in an array, or in a tuple or dict of arrays of equal length.

    A number, or an array without axes, beside arrays is one for all samples.

    Raises:
        DataError: The lengths differ, or something is no array.
    """
    leaves = dict(_leaves(value, "X"))
    lengths = {name: _length(array, name) for name, array in leaves.items() if len(leaves) == 1 or not _shared(array)}
    if not lengths:
        raise DataError(f"data: holds no arrays of samples. {_FORMS}.")
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise DataError(f"data: the arrays differ in their number of samples: {said}.")
    return next(iter(lengths.values()))


def _is_pair(data: Any) -> bool:
    """Whether a list is [X, y]: as many samples, of other numbers or axes than a second batch of X would have."""
    if not isinstance(data, list) or len(cast("list[Any]", data)) != 2:
        return False
    first, second = cast("list[Any]", data)
    if not isinstance(first, Array) or not isinstance(second, Array) or not len(first.shape) or not len(second.shape):
        return False
    other = len(first.shape) != len(second.shape) or _is_float(first) != _is_float(second)
    return first.shape[0] == second.shape[0] and other


def _is_float(array: Any) -> bool:
    return "float" in str(array.dtype)


def _split(inputs: Any, targets: Any, batch_size: int) -> Iterator[Batch]:
    total = count(inputs)
    if targets is not None and (given := count(targets)) != total:
        raise DataError(f"data: {total} samples and {given} targets; each sample needs one.")
    for start in range(0, total, batch_size):
        part = slice(start, start + batch_size)
        yield Batch(_part(inputs, part), None if targets is None else _part(targets, part))


def _batch(item: Any) -> Batch:
    if isinstance(item, tuple | list):
        pair = list(cast(Iterable[Any], item))
        if len(pair) == 2:
            return Batch(pair[0], pair[1])
        if len(pair) == 1:
            return Batch(pair[0])
        raise DataError(
            f"data: a batch is x or (x, y); received one of {len(pair)} entries. "
            "Several inputs go together: ((x1, x2), y)."
        )
    if isinstance(item, Batch):
        return item
    if isinstance(item, Mapping | Array):
        return Batch(item)
    raise DataError(f"data: a batch is x or (x, y), of arrays; received a {type(item).__name__}. {_FORMS}.")


def _as_arrays(value: Any) -> Any:
    """Turn lists of numbers into arrays, within a tuple or dict of arrays too."""
    if isinstance(value, Mapping):
        return {name: _as_arrays(entry) for name, entry in cast(Mapping[str, Any], value).items()}
    if isinstance(value, tuple):
        return tuple(_as_arrays(entry) for entry in cast(tuple[Any, ...], value))
    if isinstance(value, list):
        try:
            return np.asarray(cast("list[Any]", value))
        except ValueError:
            raise DataError("data: a list whose rows differ in length is no array.") from None
    return value


def _leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, entry in cast(Mapping[str, Any], value).items():
            yield from _leaves(entry, f"{name}[{key!r}]")
    elif isinstance(value, tuple):
        for place, entry in enumerate(cast(tuple[Any, ...], value)):
            yield from _leaves(entry, f"{name}[{place}]")
    else:
        yield name, value


def _length(array: Any, name: str) -> int:
    if not isinstance(array, Array):
        raise DataError(f"data: {name} is a {type(array).__name__}, no array. {_FORMS}.")
    if not len(array.shape):
        raise DataError(f"data: {name} has no axes; samples lie along the first axis of an array.")
    return int(array.shape[0])


def _part(value: Any, part: slice) -> Any:
    if isinstance(value, Mapping):
        return {name: _part(entry, part) for name, entry in cast(Mapping[str, Any], value).items()}
    if isinstance(value, tuple):
        return tuple(_part(entry, part) for entry in cast(tuple[Any, ...], value))
    return value if _shared(value) else value[part]


def _shared(value: Any) -> bool:
    """Whether a value beside arrays of samples is one for all of them: a number, or an array without axes."""
    return isinstance(value, int | float | None) or (isinstance(value, Array) and not len(value.shape))
