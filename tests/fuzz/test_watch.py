"""The watch itself: it sees what it is there to see."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

import genewright as gw
from tests.fuzz import watch


def test_code_that_runs_is_seen() -> None:
    with pytest.raises(AssertionError, match="executed or written"):
        watch.held(lambda: exec("1"), 10)
    with pytest.raises(AssertionError, match="find_class"):
        watch.held(lambda: pickle.loads(b"cbuiltins\nlen\n."), 10)


def test_a_file_that_is_written_is_seen(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="for writing"):
        watch.held(lambda: (tmp_path / "new").write_bytes(b""), 10)
    (tmp_path / "old").touch()
    assert watch.held(lambda: (tmp_path / "old").read_bytes(), 10) is None


def test_much_memory_is_seen() -> None:
    with pytest.raises(AssertionError, match="bytes of memory"):
        watch.held(lambda: bytearray(100 << 20), 10)


def test_a_hang_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "SECONDS", 0.05)

    def hang() -> None:
        while True:
            pass

    with pytest.raises(AssertionError, match="processor's time"):
        watch.held(hang, 10)


def test_another_error_escapes_and_one_of_ours_is_returned() -> None:
    with pytest.raises(ZeroDivisionError):
        watch.held(lambda: 1 / 0, 10)
    with pytest.raises(ValueError, match="invalid literal"):
        watch.held(lambda: int("x"), 10)

    def refuse() -> None:
        raise gw.FileError("no")

    assert isinstance(watch.held(refuse, 10), gw.FileError)
