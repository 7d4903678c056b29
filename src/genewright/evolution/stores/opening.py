"""Where a run is kept: by what a user said."""

from __future__ import annotations

import os

from genewright.evolution.stores.database import DatabaseStore
from genewright.evolution.stores.memory import MemoryStore
from genewright.evolution.stores.store import Store


def new_store(place: str | os.PathLike[str] | None) -> Store:
    """Return an empty store.

    Args:
        place: The path of an SQLite file, or an SQLAlchemy URL; None for memory.

    Raises:
        StoreError: There is a run already, or the place cannot be written.
    """
    return MemoryStore() if place is None else DatabaseStore(place, "new")


def existing_store(place: str | os.PathLike[str]) -> Store:
    """Return the store of a run, for this process alone.

    Raises:
        StoreError: There is no run, it is damaged, or another process goes on with it.
    """
    return DatabaseStore(place, "resume")


def store_to_read(place: str | os.PathLike[str]) -> Store:
    """Return the store of a run that may be going on.

    Raises:
        StoreError: There is no run, or it is damaged.
    """
    return DatabaseStore(place, "read")
