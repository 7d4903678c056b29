"""The data are what their generator makes: a part of it here, all of it in the slow sweep."""

import random

import mpmath
import numpy as np
import pytest

from genewright.errors import FileError
from genewright.noise import tables

from . import make_tables


@pytest.mark.parametrize("name", sorted(make_tables.TABLES))
def test_a_part_is_made_again(name):
    size, make = make_tables.TABLES[name]
    data = tables.table(name)
    assert data.shape == (size,)
    chosen = {0, 1, 63, size - 1, *random.Random(name).sample(range(size), 20)}
    with mpmath.workprec(120):
        assert {i: int(data[i]) for i in chosen} == {i: make(i) for i in chosen}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(make_tables.TABLES))
def test_all_is_made_again(name):
    size, make = make_tables.TABLES[name]
    with mpmath.workprec(120):
        assert tables.table(name).tolist() == [make(i) for i in range(size)]


def test_tables_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        tables.table("normal")[0] = np.uint64(1)


def test_damage_is_noticed(monkeypatch):
    monkeypatch.setitem(tables.HASHES, "exp2", "0" * 64)
    tables.table.cache_clear()
    with pytest.raises(FileError, match="reinstall"):
        tables.table("exp2")
    tables.table.cache_clear()
