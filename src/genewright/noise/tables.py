"""The tables of the quantile functions: data, with a pinned hash, never recomputed where they are used.

Each table has one 64 bit entry per segment. An octave of tail probability has 64 segments; there are 32
octaves. An entry packs a fixed-point parabola: bits 32..62 are the value z0 at the segment's start, bits
0..31 the slope (ten more fractional bits than the value), and bits 0..9, which the slope shares, the
curvature (four fractional bits fewer than the value). `quantile.magnitude` says how it is evaluated;
tests/noise/make_tables.py made the data and can make it again.
"""

from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

import numpy as np

from genewright.errors import FileError
from genewright.noise.philox import U64

HASHES: Final = {
    "normal": "267aa7c7a688d9d10c78f78f4b24e2e6e9a97f18202f2222f651686ff7beb0a8",
    "truncated_normal": "e075657055ca8772fe74a2cfe16c6adf8d7d5a3d6c74a1edced99c1467734ce2",
    "laplace": "8ac211d0e397135acd8e1e671b7d2deadf89699fc0f6963f2230b28ea482023a",
    "cauchy": "661439a66b19bd0f375b47aaf48f93e95b6ff5b467bd989db8d10f7f2f040b69",
    "exp2": "de9b5a4e7740db89d46a444ea4b3a3cb61da89efc00b0f4d9e4163b867b64ab8",
}


@cache
def table(name: str) -> U64:
    """Return one table, read-only, after its hash has been compared.

    Args:
        name: "normal", "truncated_normal", "laplace", "cauchy" (2,048 entries each) or "exp2" (64).

    Returns:
        uint64 entries.

    Raises:
        FileError: If the installed data differ from the specification's.

    Example:
        >>> table("normal").shape
        (2048,)
    """
    data = (files("genewright.noise") / "data" / f"{name}.bin").read_bytes()
    if sha256(data).hexdigest() != HASHES[name]:
        raise FileError(f"the table {name}.bin of genewright.noise is damaged (its hash differs): reinstall genewright")
    return np.frombuffer(data, dtype="<u8").astype(np.uint64, copy=False)
