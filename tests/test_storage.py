"""Atomic files: the new one is whole, or the old one is still there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

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


def test_overwriting_keeps_the_permissions(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    for mode in (0o600, 0o640, 0o755):
        path.chmod(mode)
        write_atomically(path, [b"new"], overwrite=True)
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_what_replaces_a_private_file_is_private_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o600)
    seen: list[int] = []

    def write(temporary: Path) -> None:
        seen.append(stat.S_IMODE(temporary.stat().st_mode))
        temporary.write_bytes(b"new")

    write_atomically(path, write, overwrite=True)
    assert seen == [0o600]


@pytest.mark.parametrize("overwrite", [False, True, "force"])
def test_a_pipe_and_a_device_are_refused(overwrite: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/null")
    for path in (tmp_path / "pipe", tmp_path / "link", Path("/dev/null")):
        with pytest.raises(gw.FileError, match="no regular file"):
            write_atomically(path, [b"new"], overwrite=overwrite)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "pipe"]


def test_a_read_only_file_is_replaced_only_by_force(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o444)
    with pytest.raises(gw.FileError, match=r"is read-only.*overwrite='force'"):
        write_atomically(path, [b"new"], overwrite=True)
    assert path.read_bytes() == b"old"
    write_atomically(path, [b"new"], overwrite="force")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o444


def test_a_link_is_followed_to_its_target(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    target, link = folder / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(Path("elsewhere", "target"))
    with pytest.raises(gw.FileError, match="exists already"):
        write_atomically(link, [b"new"])
    write_atomically(link, [b"new"], overwrite=True)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert [p.name for p in folder.iterdir()] == ["target"]


def test_a_dangling_link_is_followed_only_by_force(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "target")
    for overwrite in (False, True):
        with pytest.raises(gw.FileError, match=r"is a link to .*target, which is not there"):
            write_atomically(link, [b"new"], overwrite=overwrite)
    write_atomically(link, [b"new"], overwrite="force")
    assert link.is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "a")
    with pytest.raises(gw.FileError):
        write_atomically(tmp_path / "a", [b"new"], overwrite="force")
    assert (tmp_path / "a").is_symlink()


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b", "a" * 300, "a/" * 3000 + "b"])
def test_a_name_that_the_system_does_not_take(name: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    net = torch.nn.Linear(2, 2)
    path = tmp_path / f"{name}.safetensors"
    mutant = gw.mutate(net, gw.SignFlip(), seed=1)
    for act in (
        lambda: write_atomically(path, [b"new"]),
        lambda: gw.save(net, path),
        lambda: gw.recipe(mutant).save(path),
        lambda: gw.Recipe.load(path),
        lambda: gw.load(lambda: net, path),
        lambda: gw.read_checkpoint(path),
    ):
        with pytest.raises(gw.FileError) as caught:
            act()
        str(caught.value).encode()  # a message that every file and terminal takes
    assert list(tmp_path.iterdir()) == []


def test_a_name_as_long_as_the_system_takes(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / ("a" * (os.pathconf(tmp_path, "PC_NAME_MAX") - 12) + ".safetensors")
    gw.save(torch.nn.Linear(2, 2), path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
