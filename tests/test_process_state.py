"""What belongs to the process answers otherwise on the threads that ask for it, and on no other."""

from __future__ import annotations

import logging
import threading
import types
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from genewright.process_state import Here, StandIn, unheard, warnings_ignored


def elsewhere(asked: Callable[[], Any]) -> Any:
    """Return what another thread gets."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(asked()))
    thread.start()
    thread.join()
    return found[0]


def warned() -> bool:
    try:
        warnings.warn("heard", stacklevel=1)
    except UserWarning:
        return True
    return False


def test_a_warning_is_ignored_here_and_heard_elsewhere() -> None:
    before = list(warnings.filters)
    assert warned()
    with warnings_ignored():
        assert not warned()
        assert elsewhere(warned)
        with warnings_ignored():
            assert not warned()
        assert not warned()
    assert warned()
    assert list(warnings.filters) == before


def test_filters_that_someone_resets_meanwhile_are_theirs() -> None:
    with warnings.catch_warnings():
        with warnings_ignored():
            warnings.simplefilter("error")
            warnings.resetwarnings()
        assert warnings.filters == []


def test_two_threads_that_overlap_leave_the_filters_as_they_were() -> None:
    before = list(warnings.filters)
    inside, leave = threading.Event(), threading.Event()

    def stay() -> None:
        with warnings_ignored():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=stay)
    thread.start()
    assert inside.wait(10)
    with warnings_ignored():
        assert not warned()
        leave.set()
        thread.join()
        assert not warned()  # the one that entered first has left
    assert list(warnings.filters) == before


def test_a_record_is_dropped_here_and_heard_elsewhere(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("a library")
    before = logger.level, list(logger.handlers), list(logger.filters)
    with unheard(logger):
        logger.error("here")
        elsewhere(lambda: logger.error("elsewhere"))
    logger.error("after")
    assert [record.message for record in caplog.records] == ["elsewhere", "after"]
    assert (logger.level, list(logger.handlers), list(logger.filters)) == before


def test_a_stand_in_is_put_in_once_and_taken_out_by_the_last_also_after_an_error() -> None:
    module: Any = types.SimpleNamespace(answer=lambda: "as ever")
    original = module.answer
    stand_in = StandIn(module, "answer", lambda before, here: lambda: "otherwise" if here else before())
    with stand_in.inside():
        assert module.answer() == "otherwise"
        assert elsewhere(lambda: module.answer()) == "as ever"
        with pytest.raises(KeyError), stand_in.inside():
            raise KeyError
        assert module.answer() == "otherwise"
    with pytest.raises(KeyError), stand_in.inside():
        raise KeyError
    assert module.answer is original


def test_the_first_thread_enters_and_the_last_leaves() -> None:
    here, calls = Here(), list[str]()

    def enter_and_leave() -> None:
        with here.inside(lambda: calls.append("enter"), lambda: calls.append("leave")):
            pass

    with here.inside(lambda: calls.append("enter"), lambda: calls.append("leave")):
        elsewhere(enter_and_leave)
        assert calls == ["enter"]
    assert calls == ["enter", "leave"]
