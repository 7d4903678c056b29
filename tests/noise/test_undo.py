"""An undo is right at every instant: before the change, half way, afterwards, and when it is interrupted itself."""

import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from genewright import noise
from genewright.errors import SettingError
from genewright.noise import Change, ShardUndo, Stream, Undo, apply_shard, reference
from genewright.noise.undo import Noted
from tests.alarms import alarms, at_many_instants

STREAM = Stream(key=61, tweak=67)
HOUSE = str(Path(noise.__file__).parent)
CHANGES = [
    Change(combine="add", scale=0.1),
    Change(combine="add", scale=0.1, rate=0.9),
    Change(combine="add", scale=0.1, rate=0.4),
    Change(combine="replace", scale=0.1, rate=0.01),
]
NAMES = ["dense", "crowded", "half", "sparse"]


def weights(size):
    return np.random.default_rng(0).standard_normal(size).astype(np.float32)


class Instants:
    """Raises a KeyboardInterrupt in the main thread at the k-th line or return in the package, counted from 0.

    A burst raises that many, one after the other.
    """

    def __init__(self, instant, burst=1):
        self.instant, self.burst, self.passed = instant, burst, 0

    def __enter__(self):
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_):
        sys.settrace(None)

    def _trace(self, frame, event, _):
        if not frame.f_code.co_filename.startswith(HOUSE):
            return None
        if event in ("line", "return"):
            self.passed += 1
            if self.instant < self.passed <= self.instant + self.burst:
                raise KeyboardInterrupt
        return self._trace


def interrupted_everywhere(change, restore, burst=1):
    """Interrupt `change(journal)` at every line, call `restore(undos)` after each; return how many lines there were."""
    instant = 0
    while True:
        undos = []
        try:
            with Instants(instant, burst):
                change(undos.append)
        except KeyboardInterrupt:
            restore(undos)
            instant += 1
        else:
            return instant


def numpy_apply(values, change, journal):
    reference.apply(values, change, STREAM, "float32", 5, journal)


def numba_apply(threads):
    def run(values, change, journal):
        compiled = pytest.importorskip("genewright.noise.compiled")
        compiled.apply(values, change, STREAM, "float32", 5, journal, threads=threads, parallel=1)

    return run


WAYS = {"numpy": numpy_apply, "numba": numba_apply(1), "numba-3": numba_apply(3)}


@pytest.fixture(params=WAYS)
def way(request):
    if request.param != "numpy":
        pytest.importorskip("numba")
    return WAYS[request.param]


@pytest.mark.parametrize("burst", [1, 3])
@pytest.mark.parametrize("change", CHANGES, ids=NAMES)
def test_an_interrupt_at_any_line(way, change, burst, monkeypatch):
    monkeypatch.setattr(reference, "CHUNK", 4096)  # several batches of a small array
    before = weights(10_000)
    way(before.copy(), change, None)  # what is loaded or cached the first time
    values = before.copy()
    untouched, touched = [], []

    def restore(undos):
        if not undos:
            assert values.tobytes() == before.tobytes()  # nothing changes before the undo is handed out
        (touched if values.tobytes() != before.tobytes() else untouched).append(1)
        for undo in undos * 2:
            undo.restore(values)
        assert values.tobytes() == before.tobytes()

    assert interrupted_everywhere(lambda journal: way(values, change, journal), restore, burst) > 20
    assert touched
    assert untouched
    assert values.tobytes() != before.tobytes()  # the one that was let through


@pytest.mark.parametrize("change", CHANGES, ids=NAMES)
def test_an_interrupted_undo_is_finished_by_the_next(way, change):
    before = weights(20_000)
    values = before.copy()
    undos = []
    way(values, change, undos.append)
    after = values.copy()

    def restore(_):
        undos[0].restore(values)
        assert values.tobytes() == before.tobytes()
        values[:] = after

    assert interrupted_everywhere(lambda _: undos[0].restore(values), restore) > 3


@pytest.mark.parametrize("rate", [1.0, 0.3])
def test_a_shard_interrupted_at_any_line(rate):
    before = weights(30).reshape(1, 3, 10)
    values = before.copy()
    change = Change(combine="add", rate=rate)

    def run(journal):
        apply_shard(values, change, STREAM, dtype="float32", shape=(4, 9, 12), offset=(2, 3, 1), journal=journal)

    def restore(undos):
        assert undos or values.tobytes() == before.tobytes()
        for undo in undos * 2:
            undo.restore(values)
        assert values.tobytes() == before.tobytes()

    run(None)  # what is loaded or cached the first time
    values[:] = before
    assert interrupted_everywhere(run, restore) > 100
    assert values.tobytes() != before.tobytes()


def test_signals_at_hundreds_of_instants(way):
    """Real ones, from a timer: most fall inside a change, some behind it."""
    before = weights(60_000 if way is numpy_apply else 1_000_000)
    values = before.copy()
    change = Change(combine="add", rate=0.3)

    def check(undos):
        for undo in undos:
            undo.restore(values)
        assert values.tobytes() == before.tobytes()

    way(values.copy(), change, None)  # what is loaded or cached the first time
    with alarms():
        assert at_many_instants(300, list, lambda undos: way(values, change, undos.append), check) > 30


def test_the_undo_comes_before_the_change(way):
    values = weights(20_000)
    before = values.copy()
    seen = []
    for change in CHANGES:
        way(values, change, lambda undo: seen.append((undo, values.tobytes() == before.tobytes())))
        undo, same = seen.pop()
        assert same
        assert values.tobytes() != before.tobytes()
        undo.restore(values)
        assert values.tobytes() == before.tobytes()


def test_a_journal_that_raises_stops_the_change(way):
    values = weights(20_000)
    before = values.copy()
    for change in CHANGES:
        with pytest.raises(ZeroDivisionError):
            way(values, change, lambda undo: 1 / 0)
        assert values.tobytes() == before.tobytes()


def test_the_undo_holds_no_tensor(way):
    """Its memory is what `nbytes` says: the array that was changed can go."""
    import gc
    import weakref

    class Held(np.ndarray):
        pass

    for change in CHANGES:
        values = weights(20_000).view(Held)
        gone = weakref.ref(values)
        undos = []
        way(values, change, undos.append)
        del values
        for _ in range(1000):  # a thread that has helped may not have gone home yet
            gc.collect()
            if gone() is None:
                break
            time.sleep(0.01)
        assert gone() is None
        assert undos[0].nbytes > 0


def test_an_undo_that_grows():
    values = np.arange(6, dtype=np.float64)
    undo = Undo(6, values.dtype)
    undo.restore(values)
    count = np.zeros(1, np.uint64)
    undo.noted.append(Noted(2, values[[3, 5]], np.array([1, 3], np.uint32), count))
    values[3] = -1.0
    undo.restore(values)
    assert values[3] == -1.0  # nothing is noted yet
    count[0] = 1
    undo.restore(values)
    assert values.tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(SettingError, match="this journal belongs to 6 elements of float64"):
        undo.restore(np.zeros(6, np.float32))
    with pytest.raises(SettingError, match="contiguous shard"):
        ShardUndo((2, 3)).restore(np.zeros((2, 2)))


def test_restoring_waits_for_who_still_writes():
    values = np.zeros(4)
    written = threading.Event()

    def late():
        time.sleep(0.05)
        values[1] = 7.0
        written.set()

    undo = Undo(4, values.dtype, [Noted(0, values.copy())], settle=lambda: written.wait() and None)
    threading.Thread(target=late).start()
    undo.restore(values)
    assert written.is_set()
    assert values.tolist() == [0, 0, 0, 0]
