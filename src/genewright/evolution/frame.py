"""What became of the generations, as numbers and as a frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from genewright.evolution.stores.store import Generation
from genewright.extras import required


def generations_of(columns: dict[str, Sequence[Any]]) -> Iterator[Generation]:
    """Yield what became of each generation.

    Args:
        columns: From `Store.columns`.
    """
    number = np.asarray(columns["generation"], np.int64)
    fitness = np.array([np.nan if value is None else value for value in columns["fitness"]], np.float64)
    seconds = np.asarray(columns["seconds"], np.float64)
    edges = np.flatnonzero(np.diff(number, prepend=-1, append=-1))
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        found = fitness[start:end]
        finite = found[~np.isnan(found)]
        yield Generation(
            number=int(number[start]),
            individuals=end - start,
            failed=end - start - len(finite),
            best=float(finite.max()) if len(finite) else None,
            median=float(np.median(finite)) if len(finite) else None,
            worst=float(finite.min()) if len(finite) else None,
            seconds=float(seconds[start:end].sum()),
        )


def as_frame(rows: Any) -> Any:
    """Return a pandas DataFrame.

    Raises:
        MissingExtraError: pandas is not installed.
    """
    return required("pandas", extra="frames", what="A frame").DataFrame(rows)
