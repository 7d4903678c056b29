"""Kill a run at random instants until it gets through: python -m tests.evolution.killing STORE KILLS SEED.

Each try is a fork of this process, so that 200 take seconds. It prints the kills and the champion's fingerprint.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path
from typing import Any

import genewright as gw
from tests.evolution.problems import SMALL, evolved, loss, network

SETTINGS: dict[str, Any] = {"generations": 12, "strategy": SMALL}


def slow(model: Any) -> float:
    time.sleep(0.001)
    return loss(model)


def tried(store: str) -> str:
    """Start the run, or go on with it, and return the champion's fingerprint."""
    try:
        run = gw.resume(store, model=network(), fitness=slow)
    except gw.StoreError as error:
        if "there is no run" not in str(error):
            raise
        run = evolved(fitness=slow, store=store, **SETTINGS)
    return gw.fingerprint(run.best_model)


def killed_within(store: str, seconds: float) -> bool:
    """Try in a process of its own, and kill that after some seconds; return whether the kill came first."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            tried(store)
            code = 0
        finally:
            os._exit(code)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        if os.waitpid(child, os.WNOHANG) != (0, 0):
            return False
        time.sleep(0.0005)
    os.kill(child, 9)
    return os.waitpid(child, 0)[1] == 9


def main(store: str, kills: int, seed: int) -> None:
    chances = random.Random(seed)
    began = time.perf_counter()
    tried(f"{store}.whole")
    whole = time.perf_counter() - began
    counted = 0
    while counted < kills:
        counted += killed_within(store, chances.uniform(0, min(0.6 * whole, 3 * whole / kills + 0.05)))
        if not gone_through(store):
            continue
        Path(store).replace(f"{store}.{counted}")  # it has come to its end: begin another one
        print(counted, "through")
    print(counted, tried(store), tried(f"{store}.whole"))


def gone_through(store: str) -> bool:
    """Whether the run has its last generation."""
    from genewright.evolution.stores.opening import store_to_read

    try:
        with store_to_read(store) as kept:
            return len(kept.columns()["number"]) == 1 + 12 * 8
    except gw.StoreError:
        return False


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
