"""Numba's cache looks at one source file per function; these kernels have many. Make it look at all of them."""

from pathlib import Path
from typing import Any


def watch_all_sources(dispatcher: Any) -> Any:
    """Return the dispatcher, whose cached code now counts as stale when any of the kernels or tables changes.

    Numba's cache has no public setting for this. Where its inside has another shape, nothing is changed, and only
    people who edit the kernels have to empty the cache by hand.
    """
    here = Path(__file__).parent
    kernels = [path for path in here.glob("*.py") if path.stem not in ("backend", "__main__", "__init__")]
    data = [here.parent / "philox.py", here.parent / "lognormal.py", *(here.parent / "data").glob("*.bin")]
    sources = sorted([*kernels, *data])
    stamp = tuple((status.st_mtime, status.st_size) for status in (path.stat() for path in sources))
    try:
        files = dispatcher._cache._cache_file
        files._source_stamp = (files._source_stamp, stamp)
    except AttributeError:
        pass
    return dispatcher
