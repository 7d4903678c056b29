"""Every task once, and nobody at work when the caller goes on, whatever hits it."""

import sys
import threading
import time
from functools import partial

import pytest

pytest.importorskip("numba")

from genewright.machine_code import crew  # after the skip
from genewright.machine_code.crew import Crew


@pytest.mark.parametrize("number", [1, 2, 3, 8])
def test_every_task_runs_once(number):
    for _ in range(50):
        done = []
        Crew([partial(done.append, i) for i in range(number)]).run()
        assert sorted(done) == list(range(number))


def test_tasks_run_side_by_side():
    meeting = threading.Barrier(3, timeout=30)
    places = []
    Crew([lambda: places.append(meeting.wait())] * 3).run()  # one after the other, the first would wait in vain
    assert sorted(places) == [0, 1, 2]


def test_an_error_in_a_thread_is_raised():
    caller = threading.get_ident()
    both = threading.Barrier(2, timeout=30)

    def task():
        both.wait()
        if threading.get_ident() != caller:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Crew([task] * 2).run()


def test_an_error_of_the_caller_waits_for_the_others():
    caller = threading.get_ident()
    both = threading.Barrier(2, timeout=30)
    ended = []

    def task():
        both.wait()
        if threading.get_ident() == caller:
            raise ZeroDivisionError
        time.sleep(0.05)
        ended.append(1)

    with pytest.raises(ZeroDivisionError):
        Crew([task] * 2).run()
    assert ended == [1]


def test_a_settled_crew_begins_nothing():
    done = []
    one = Crew([lambda: done.append(1)] * 3)
    one.settle()
    helper = threading.Thread(target=one._help, args=(1,))
    helper.start()
    helper.join()
    assert done == []


class Instants:
    """Raises a KeyboardInterrupt in the main thread at the k-th line or return in the crew, counted from 0."""

    def __init__(self, instant):
        self.instant, self.passed = instant, 0

    def __enter__(self):
        sys.settrace(self._trace)

    def __exit__(self, *_):
        sys.settrace(None)

    def _trace(self, frame, event, _):
        if frame.f_code.co_filename != crew.__file__:
            return None
        if event in ("line", "return"):
            self.passed += 1
            if self.passed == self.instant + 1:
                raise KeyboardInterrupt
        return self._trace


class Work:
    """A task that knows how many are at it, and how many have begun it."""

    def __init__(self):
        self.at_work, self.begun = set(), []

    def __call__(self):
        me = object()
        self.at_work.add(me)
        self.begun.append(me)
        time.sleep(0.002)
        self.at_work.discard(me)


def test_interrupted_at_any_line_nobody_works_on():
    for instant in range(2000):
        work = Work()
        try:
            with Instants(instant):
                Crew([work] * 3).run()
        except KeyboardInterrupt:
            assert not work.at_work, instant
            begun = len(work.begun)
            time.sleep(0.004)
            assert len(work.begun) == begun, instant
        else:
            assert len(work.begun) == 3
            assert instant > 40
            return
    pytest.fail("it never came to its end")
