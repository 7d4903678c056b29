"""What a kernel is told of the machine: where an array lies, and on how many cores it may run."""

import ctypes
import os
from functools import cache
from importlib.util import find_spec
from typing import Any, cast

from numpy.typing import NDArray


@cache
def numba_is_installed() -> bool:
    """Return whether Numba can be imported, without importing it."""
    return find_spec("numba") is not None


def address_of(array: NDArray[Any]) -> int:
    """Return where the elements of a contiguous array begin."""
    if array.size and array.flags.writeable:  # in a quarter of the time
        return ctypes.addressof(ctypes.c_char.from_buffer(cast(Any, array)))
    return array.__array_interface__["data"][0]


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
