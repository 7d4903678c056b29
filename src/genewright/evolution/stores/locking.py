"""One process at a time goes on with a run; a lock ends with its process, however that ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from genewright.errors import StoreError
from genewright.extras import required

_KEY = 0x67656E6577726967  # "genewrig": the number of the lock among those of a PostgreSQL database


def locked_file(path: Path, name: str) -> Callable[[], None]:
    """Lock a file beside an SQLite database; return what lets go of it.

    Raises:
        StoreError: Another process has it.
    """
    filelock = required("filelock", extra="evolution", what="A store")
    place = path.with_name(f"{path.name}.lock")
    lock = filelock.FileLock(place, is_singleton=False)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        said = _taken(name) if place.exists() else f"{name}: cannot be locked (no file can be made in {path.parent})."
        raise StoreError(said) from None
    except OSError as error:
        raise StoreError(f"{name}: cannot be locked ({error.strerror}).") from error
    return lock.release


def locked_database(connection: Any, alchemy: Any, name: str) -> Callable[[], None]:
    """Take PostgreSQL's own lock for as long as a connection lasts; return what lets go of it.

    Raises:
        StoreError: Another session has it.
    """
    got = connection.execute(alchemy.text(f"SELECT pg_try_advisory_lock({_KEY})")).scalar()
    connection.commit()
    if not got:
        raise StoreError(_taken(name))

    def release() -> None:
        connection.execute(alchemy.text(f"SELECT pg_advisory_unlock({_KEY})"))
        connection.commit()

    return release


def _taken(name: str) -> str:
    return (
        f"{name}: another process goes on with this run. Wait for it to end (or end it), and resume then; two at once "
        "would both write it."
    )
