"""data_fingerprint: which data a campaign was run on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from genewright.backends import backend_of
from genewright.batches import batches


def data_fingerprint(model: Any, data: Any) -> str:
    """Return a digest of samples and targets, batch by batch."""
    backend, digest = backend_of(model), hashlib.sha256()

    def feed(value: Any) -> None:
        if isinstance(value, dict):
            for key, entry in cast("dict[Any, Any]", value).items():
                digest.update(str(key).encode())
                feed(entry)
        elif isinstance(value, tuple | list):
            for entry in cast("Sequence[Any]", value):
                feed(entry)
        elif value is not None:
            array = np.ascontiguousarray(backend.numeric(value))
            digest.update(f"{array.dtype.str}{array.shape[1:]}".encode())
            digest.update(array.tobytes())

    for batch in batches(data, batch_size=1 << 30):
        feed(batch.inputs)
        feed(batch.targets)
    return f"sha256:{digest.hexdigest()[:40]}"
