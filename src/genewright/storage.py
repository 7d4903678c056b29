"""Files read whole, and written so that nothing is lost: the old file stays until the new one is whole."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from genewright.errors import FileError

Overwrite = bool | Literal["force"]
"""Whether an old file may be replaced; "force": also one that is read-only, or that a dangling link stands for."""

_WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def found_at(path: Path | str) -> Literal["file", "folder", "other", ""]:
    """Return what lies at a path; "" where nothing does, also where the system does not take such a name.

    >>> found_at("."), found_at("a" * 300)
    ('folder', '')
    """
    place = Path(path)
    try:
        return "folder" if place.is_dir() else "file" if place.is_file() else "other" if place.exists() else ""
    except (OSError, ValueError):
        return ""


def refuse_existing(path: Path, *, overwrite: Overwrite) -> None:
    """Refuse a path that cannot become a new file, before any work is done.

    Raises:
        FileError: It exists and `overwrite` is false, is no regular file, or its folder does not exist; it is read-only
            or a dangling link, and `overwrite` is not "force"; or the system takes no such name.
    """
    _target(path, overwrite)


def read_file(path: Path) -> bytes:
    """Return the bytes of a file.

    Raises:
        FileError: It is missing, cannot be read, or is no regular file: a pipe or a device may never end.
    """
    try:
        if path.exists() and not path.is_file():
            raise FileError(f"{_said(path)}: cannot be read: it is no regular file.")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{_said(path)}: cannot be read ({_reason(error)}).") from error


def write_atomically(
    path: Path, content: Iterable[bytes] | Callable[[Path], None], *, overwrite: Overwrite = False
) -> None:
    """Write a file beside `path`, flush it to the disk, and move it there in one step.

    A link stays one: the file that it leads to is replaced. A replaced file's permissions are those of the old one.

    Args:
        path: The file to write.
        content: Its bytes in parts, or a function that writes the path it receives.
        overwrite: Whether an old file may be replaced; "force" also replaces a read-only one, and makes the file that a
            dangling link stands for.

    Raises:
        FileError: `refuse_existing` refuses it, or the writing fails (a full disk, no permission); an old file is then
            as it was, and nothing is left beside it.
    """
    target, old = _target(path, overwrite)
    try:
        descriptor, temporary = _beside(target, private=old is not None)
    except (OSError, ValueError) as error:
        raise FileError(f"{_said(path)}: cannot be written ({_reason(error)}).") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            if callable(content):
                content(temporary)
            else:
                for part in content:
                    file.write(part)
                file.flush()
            os.fsync(file.fileno())
        if old is not None:
            temporary.chmod(stat.S_IMODE(old.st_mode))
        temporary.replace(target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and not isinstance(error, FileError):
            kept = " The old file is as it was." if old is not None else ""
            raise FileError(f"{_said(path)}: cannot be written ({_reason(error)}).{kept}") from error
        raise


def _target(path: Path, overwrite: Overwrite) -> tuple[Path, os.stat_result | None]:
    """Return the file that will be written, behind any links, and what is known of the one that is there.

    Raises:
        FileError: It must not be written.
    """
    target = path
    try:
        link = path.is_symlink()
        if link:
            target = Path(os.path.realpath(path))
        old = _about(target)
        if link and old is None and overwrite != "force":
            raise FileError(
                f"{_said(path)}: is a link to {_said(target)}, which is not there. Choose another path, or make that "
                "file through the link (overwrite='force', --force)."
            )
        if old is not None:
            _refuse_old(path, old, overwrite)
        if not target.parent.is_dir():
            raise FileError(f"{_said(path)}: the folder {_said(target.parent)} does not exist. Make it first.")
    except (OSError, ValueError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{_said(path)}: cannot be written ({_reason(error)}). Choose another path.") from error
    return target, old


def _refuse_old(path: Path, old: os.stat_result, overwrite: Overwrite) -> None:
    if stat.S_ISDIR(old.st_mode):
        raise FileError(f"{_said(path)}: is a folder. Give the path of a file.")
    if not stat.S_ISREG(old.st_mode):
        raise FileError(f"{_said(path)}: is no regular file but a device, a pipe or a socket. Give the path of a file.")
    if not overwrite:
        raise FileError(
            f"{_said(path)}: exists already. Choose another path, or overwrite it (overwrite=True, --force)."
        )
    if not old.st_mode & _WRITABLE and overwrite != "force":
        raise FileError(
            f"{_said(path)}: is read-only. Choose another path, or overwrite it all the same (overwrite='force', "
            "--force)."
        )


def _about(path: Path) -> os.stat_result | None:
    """Return what is known of a file, or None where there is none."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _said(path: Path) -> str:
    """Return a path for a message: text that no terminal and no file can take is escaped."""
    text = str(path)
    return text if text.isprintable() else ascii(text)


def _reason(error: OSError | ValueError) -> str:
    return str((isinstance(error, OSError) and error.strerror) or error)


def _beside(path: Path, *, private: bool) -> tuple[int, Path]:
    """Make an empty file that is not there yet, and open it.

    It has the permissions that any new file has, and the system itself applies the umask: that could only be read by
    changing it, which all threads would feel. What will replace an old file is nobody else's to read until it has that
    one's permissions.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    while True:
        temporary = path.with_name(f".genewright-{secrets.token_hex(8)}.tmp")  # short, however long the file's own name
        with contextlib.suppress(FileExistsError):
            return os.open(temporary, flags, 0o600 if private else 0o666), temporary
