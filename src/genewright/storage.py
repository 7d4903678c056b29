"""Files read whole, and written so that nothing is lost: the old file stays until the new one is whole."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path

from genewright.errors import FileError


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Refuse a path that cannot become a new file, before any work is done.

    Raises:
        FileError: It exists and `overwrite` is false, is a folder, or its folder does not exist.
    """
    if path.is_dir():
        raise FileError(f"{path}: is a folder. Give the path of a file.")
    if path.exists() and not overwrite:
        raise FileError(f"{path}: exists already. Choose another path, or overwrite it (overwrite=True, --force).")
    if not path.parent.is_dir():
        raise FileError(f"{path}: the folder {path.parent} does not exist. Make it first.")


def read_file(path: Path) -> bytes:
    """Return the bytes of a file.

    Raises:
        FileError: It is missing, cannot be read, or is no regular file: a pipe or a device may never end.
    """
    try:
        if path.exists() and not path.is_file():
            raise FileError(f"{path}: cannot be read: it is no regular file.")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, FileError):
            raise
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise FileError(f"{path}: cannot be read ({reason}).") from error


def write_atomically(path: Path, content: Iterable[bytes] | Callable[[Path], None], *, overwrite: bool = False) -> None:
    """Write a file beside `path`, flush it to the disk, and move it there in one step.

    Args:
        path: The file to write.
        content: Its bytes in parts, or a function that writes the path it is given.
        overwrite: Whether an old file may be replaced.

    Raises:
        FileError: It exists and `overwrite` is false, or the writing fails (a full disk, no permission); an old file
            is then as it was, and nothing is left beside it.
    """
    refuse_existing(path, overwrite=overwrite)
    try:
        descriptor, temporary = _beside(path)
    except OSError as error:
        raise FileError(f"{path}: cannot be written ({error.strerror}).") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            if callable(content):
                content(temporary)
            else:
                for part in content:
                    file.write(part)
                file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and not isinstance(error, FileError):
            old = " The old file is as it was." if path.exists() else ""
            raise FileError(f"{path}: cannot be written ({error.strerror or error}).{old}") from error
        raise


def _beside(path: Path) -> tuple[int, Path]:
    """Make an empty file that is not there yet, with the permissions that any new file has, and open it.

    The system itself applies the umask: it could only be read by changing it, which all threads would feel.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        with contextlib.suppress(FileExistsError):
            return os.open(temporary, flags, 0o666), temporary
