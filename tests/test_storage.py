"""Atomic files: the new one is whole, or the old one is still there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

import genewright as gw
from genewright.storage import write_atomically


def failing() -> Iterator[bytes]:
    yield b"half"
    raise OSError(28, "No space left on device")


def test_it_writes_all_parts(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", [b"one", b"two"])
    assert (tmp_path / "a").read_bytes() == b"onetwo"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_it_writes_by_a_function(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", lambda path: path.write_bytes(b"content") and None)
    assert (tmp_path / "a").read_bytes() == b"content"


@pytest.mark.parametrize("old", [None, b"old"])
def test_a_failure_leaves_the_old_file_and_nothing_else(old: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "a"
    if old is not None:
        path.write_bytes(old)
    with pytest.raises(gw.FileError, match="No space left on device"):
        write_atomically(path, failing(), overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == (["a"] if old else [])
    assert old is None or path.read_bytes() == old


def test_an_interruption_leaves_nothing_and_is_not_swallowed(tmp_path: Path) -> None:
    def interrupted() -> Iterator[bytes]:
        yield b"half"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "a", interrupted())
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_replaced_only_when_asked(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(gw.FileError, match="exists already"):
        write_atomically(tmp_path / "a", [b"new"])
    assert (tmp_path / "a").read_bytes() == b"old"
    write_atomically(tmp_path / "a", [b"new"], overwrite=True)
    assert (tmp_path / "a").read_bytes() == b"new"


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write_atomically(tmp_path / "a", [b"x"])
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(gw.FileError, match="cannot be written"):
        write_atomically(tmp_path / "a", [b"x"])


@pytest.mark.skipif(os.name != "posix", reason="permissions of another kind")
def test_the_umask_is_applied_and_no_thread_sees_another_one(tmp_path: Path) -> None:
    """The umask was once read by setting it to 0: files that other threads made meanwhile were open to all."""
    seen: set[int] = set()
    kept = os.umask(0o027)
    try:
        writers = [Thread(target=lambda n=n: write_atomically(tmp_path / f"{n}", [b"x"] * 50)) for n in range(4)]
        for writer in writers:
            writer.start()
        for number in range(200):
            other = tmp_path / f"other {number}"
            other.touch()
            seen.add(stat.S_IMODE(other.stat().st_mode))
        for writer in writers:
            writer.join()
        written = {stat.S_IMODE((tmp_path / f"{n}").stat().st_mode) for n in range(4)}
    finally:
        assert os.umask(kept) == 0o027
    assert seen == written == {0o640}
