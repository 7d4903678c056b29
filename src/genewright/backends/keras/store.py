"""Writing the elements of Keras variables."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.apply import Store
from genewright.backends.keras.members import Member
from genewright.backends.keras.network import array_of


class KerasStore(Store):
    """The variables of a Keras model, for writing: each is handed out as a copy, and assigned afterwards."""

    def __init__(self, members: Mapping[str, Member]) -> None:
        self._members = members

    @contextmanager
    def elements(self, name: str) -> Generator[NDArray[Any]]:
        variable = self._members[name].variable
        array = np.array(array_of(variable), order="C")
        flat = array.reshape(-1)
        yield flat.view(np.uint16) if array.dtype.name == "bfloat16" else flat
        variable.assign(array)
