"""Many tensors of one size in one call: each changes as it does alone."""

from typing import Any

import numpy as np
import pytest

import genewright as gw
from genewright.noise import Change, apply, apply_rows, derive, derive_rows

from .test_backends import DTYPES, any_patterns

SEEDS: list[int | str | bytes] = [3, -(2**70), "text", b"bytes"]
CHANGES = [
    Change(combine="add", scale=0.1),
    Change(combine="add", scale=0.001, rounding="stochastic"),
    Change(combine="multiply", scale=0.5),
    Change(combine="replace", scale=0.0),
    Change(combine="xor", bits=(3, 7)),
    Change(combine="negate"),
    Change(combine="add", rate=0.1),
    Change(combine="add", scale=0.0),
]


@pytest.mark.parametrize("dtype", sorted(DTYPES))
@pytest.mark.parametrize("change", CHANGES)
def test_each_row_changes_as_alone(change: Change, dtype: str) -> None:
    for size in (1, 300, 5000):
        before = any_patterns(len(SEEDS) * size, dtype, size).reshape(len(SEEDS), size)
        made = before.copy()
        for _ in range(20 if size == 5000 else 1):  # until the process prefers the compiled kernels
            made[:] = before
            apply_rows(made, change, derive_rows(SEEDS, name="w", path="/0", salt="s"), dtype=dtype)
        for row, old, seed in zip(made, before, SEEDS, strict=True):
            alone = old.copy()
            apply(alone, change, derive(seed, name="w", path="/0", salt="s"), dtype=dtype, backend="numpy")
            assert row.tobytes() == alone.tobytes(), (size, seed)


def test_threads_change_no_bit() -> None:
    pytest.importorskip("numba")
    from genewright.noise.compiled import apply_rows as compiled

    one, many = (np.zeros((7, 1000), np.float32) for _ in range(2))
    streams = derive_rows(range(7), name="w", path="/0")
    compiled(one, CHANGES[0], streams, "float32", threads=1)
    compiled(many, CHANGES[0], streams, "float32", threads=3, parallel=1 << 10)
    assert one.any(axis=1).all()
    assert one.tobytes() == many.tobytes()


def test_unequal_numbers_and_bad_seeds_are_refused() -> None:
    with pytest.raises(gw.SettingError, match="3 tensors need as many streams, got 2"):
        apply_rows(np.zeros((3, 2), np.float32), CHANGES[0], derive_rows([1, 2], name="w", path="/0"), dtype="float32")
    bad: Any = [True]
    with pytest.raises(gw.SeedError, match="bool"):
        derive_rows(bad, name="w", path="/0")
