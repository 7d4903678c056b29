"""Which backend does the work: compiled kernels where Numba is installed, else the NumPy reference. Same bytes.

Loading the kernels takes a tenth of a second, and compiling them, once per machine, several seconds. So a process
starts with the reference and moves on to the kernels when it has work that is worth the wait.
"""

import logging
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from genewright.errors import SettingError
from genewright.machine_code.memory import numba_is_installed
from genewright.noise import reference
from genewright.noise.change import Change
from genewright.noise.key import Stream
from genewright.noise.undo import Journal

Name = Literal["numpy", "numba"]
LOGGER: Final = logging.getLogger("genewright.noise")
PATIENCE: Final = 1 << 18
"""Elements (each call counts as 4,096 at least) that a process leaves to the reference before it loads Numba."""


class Backend(Protocol):
    """What a backend is: one function. All backends write the same bytes."""

    def __call__(
        self, values: NDArray[Any], change: Change, stream: Stream, dtype: str, start: int, journal: Journal | None, /
    ) -> None:
        """Hand the undo to the journal, then change the values in place; the arguments have been checked."""
        ...


class SumBackend(Protocol):
    """What a backend has for sums of noise; see `reference.add_sum`."""

    def __call__(
        self,
        values: NDArray[Any],
        terms: Sequence[tuple[Stream, float]],
        addend: NDArray[Any] | None,
        stream: Stream | None,
        dtype: str,
        start: int,
        /,
    ) -> None:
        """Add the sum, and round once."""
        ...


class Chooser:
    """Chooses the backend of each call by the work that the process has asked for so far."""

    def __init__(self) -> None:
        self._asked = 0

    def choose(self, name: Name | None, size: int) -> Backend:
        """Return the named backend, or the one that is fastest for this process.

        Raises:
            SettingError: If there is no backend of that name.
            ImportError: If "numba" is asked for and not installed.
        """
        if name is not None and name not in get_args(Name):
            raise SettingError(f"unknown backend {name!r}: 'numba', 'numpy', or None for the faster one")
        if name == "numba":
            return compiled()
        return compiled() if name is None and self.prefers_compiled(size) else reference.apply

    def choose_sum(self, name: Name | None, size: int) -> SumBackend:
        """Return what `choose` would, for sums; the work has been counted there."""
        if name == "numba" or (name is None and numba_is_installed() and self._asked + size >= PATIENCE):
            return compiled_sum()
        return reference.add_sum

    def prefers_compiled(self, size: int) -> bool:
        """Return whether work on that many elements is for the compiled kernels."""
        self._asked += max(size, 4096)
        if self._asked < PATIENCE:
            return False
        if not numba_is_installed():
            _hint()
            return False
        return True


@cache
def compiled() -> Backend:
    """Import the compiled backend."""
    from genewright.noise.compiled import apply

    return apply


@cache
def compiled_sum() -> SumBackend:
    """Import the compiled sums."""
    from genewright.noise.compiled import add_sum

    return add_sum


@cache
def compiled_rows() -> Callable[[NDArray[Any], Change, NDArray[np.uint64], str], None]:
    """Import the compiled changes of many rows."""
    from genewright.noise.compiled import apply_rows

    return apply_rows


@cache
def compiled_mask() -> Callable[[Stream, float, int, int], NDArray[np.int64]]:
    """Import the compiled mask."""
    from genewright.noise.compiled import mask

    return mask


@cache
def _hint() -> None:
    LOGGER.warning(
        "Numba is not installed: the noise is drawn by NumPy, with the same result, some 25 times slower. "
        "Install it with: pip install numba"
    )
