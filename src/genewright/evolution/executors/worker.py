"""A worker: a process that evaluates what it is sent, until its pipe ends."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import traceback
from multiprocessing.connection import Connection, wait

from genewright.evolution.evaluation import Evaluator, Job
from genewright.evolution.executors.travel import limit_threads, received, written
from genewright.evolution.individual import Genome

READY, BROKEN, STARTED, DONE = "ready", "broken", "started", "done"


def work(connection: Connection, payload: bytes, name: str, threads: int) -> None:
    """Evaluate tasks as they come; the main function of a worker.

    Args:
        connection: Where tasks come from and outcomes go.
        payload: The job, as `sent` wrote it.
        name: The worker's name.
        threads: Threads that torch may use.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who asked; that one ends the workers
    _end_with_parent()
    with contextlib.suppress(EOFError, OSError):  # the run has ended
        try:
            job: Job = received(payload)
            limit_threads(threads)
            genomes: dict[int, Genome] = {}
            evaluator = Evaluator(job, genomes, name)
        except Exception:  # whatever the user's modules raise when they are imported
            connection.send_bytes(written((BROKEN, traceback.format_exc())))
            return
        connection.send_bytes(written((READY, None)))
        while True:
            task, others = received(connection.recv_bytes())
            genomes.update(others)
            outcome = evaluator.evaluate(task, began=lambda: connection.send_bytes(written((STARTED, None))))
            connection.send_bytes(written((DONE, outcome)))


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, also in the middle of a fitness function."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
