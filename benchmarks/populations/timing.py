"""What a generation takes in this process: CPU milliseconds, and memory above what the process held before.

The scripts `generation_*.py` run it, each in its library's own environment; it needs Python alone.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable

ROUNDS = 5
LONG = 5000.0  # CPU milliseconds; what takes longer runs once, after its warming up
Ways = dict[str, Callable[[], object]]


def peak_mb() -> float:
    """Return the most memory that this process has held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(made: Callable[[str, int, int, int], Ways]) -> None:
    """Time what `made(way, members, hidden, batch)` gives, by the script's arguments; print one line of JSON."""
    way, *sizes = sys.argv[1:]
    for run in made(way, 8, 16, 8).values():  # imports and compilers, which come with larger tensors
        run()
    before = peak_mb()
    found: dict[str, float] = {}
    for name, run in made(way, *map(int, sizes)).items():
        run()  # warms up
        for _ in range(ROUNDS):
            start = time.process_time()
            run()
            took = 1e3 * (time.process_time() - start)
            found[name] = min(took, found.get(name, took))
            if took > LONG:
                break
    print(json.dumps({**found, "mb": peak_mb() - before}))
