"""What an example is: one, or a list of several; and the fingerprint of the batch that values were fitted on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import blake3
import numpy as np
from numpy.typing import NDArray

_DIGEST_BYTES = 20


def examples_of(example: Any) -> tuple[Any, ...]:
    """Return the examples that a caller gave, the first one first.

    Several are a list of two or more, each a tuple of positional or a dict of keyword arguments. A list of tensors is
    one example: what such a list means, a model's own code decides. So nothing is guessed.

    >>> examples_of([{"x": 1}, {"x": 1, "other": True}])
    ({'x': 1}, {'x': 1, 'other': True})
    >>> examples_of([1, 2])
    ([1, 2],)
    """
    if isinstance(example, list):
        entries = cast("list[Any]", example)
        if len(entries) > 1 and all(isinstance(entry, tuple | Mapping) for entry in entries):
            return tuple(entries)
    return (cast("Any", example),)


def as_given(examples: Sequence[Any]) -> Any:
    """Return examples in the form in which a caller gives them."""
    return list(examples) if len(examples) > 1 else examples[0]


def example_fingerprint(example: Any, numeric: Callable[[Any], NDArray[Any]]) -> str:
    """Return the fingerprint, ``"b3:"`` and 40 hexadecimal digits, over structure, shapes, dtypes and bytes.

    Args:
        example: A tensor or array, or tuples, lists and dicts of these.
        numeric: Returns an array of the framework as a NumPy array.
    """
    digest = blake3.blake3()
    for text, data in _parts(example, numeric):
        digest.update(text.encode())
        digest.update(data)
    return "b3:" + digest.digest(_DIGEST_BYTES).hex()


def _parts(value: Any, numeric: Callable[[Any], NDArray[Any]]) -> Iterator[tuple[str, bytes]]:
    if isinstance(value, Mapping):
        for key, entry in sorted(cast("Mapping[Any, Any]", value).items(), key=lambda pair: str(pair[0])):
            yield f"key {key}\n", b""
            yield from _parts(entry, numeric)
    elif isinstance(value, tuple | list):
        yield f"list {len(cast('list[Any]', value))}\n", b""
        for entry in cast("list[Any]", value):
            yield from _parts(entry, numeric)
    elif value is None or isinstance(value, bool | int | float | str):
        yield f"{value!r}\n", b""
    else:
        array = np.ascontiguousarray(numeric(value))
        yield f"{array.dtype.name} {array.shape}\n", array.tobytes()
