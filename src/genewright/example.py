"""The fingerprint of an example: which batch a mutation's values were fitted on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import blake3
import numpy as np
from numpy.typing import NDArray

_DIGEST_BYTES = 20


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
