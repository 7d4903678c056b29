"""Where a campaign is kept: a folder with what it is, and lines of what is done, appended as mutants are done."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

from genewright.errors import RecipeError, StoreError
from genewright.extras import required
from genewright.storage import write_atomically

FORMAT = 1


Kept = TypeVar("Kept")


class CampaignStore(Generic[Kept]):
    """A folder of a campaign: ``campaign.json`` and ``rows.jsonl``.

    A line is whole or is not counted: what was written last when the process was killed is cut off and run again.

    Args:
        path: The folder; it is made.
        read: Makes of a line of JSON what it holds.
        write: Makes the line.

    Attributes:
        kept: What its lines hold, in the order in which they were written.

    Raises:
        StoreError: Another process has it, it cannot be written, or it is damaged.
    """

    def __init__(self, path: str | Path, read: Callable[[bytes], Kept], write: Callable[[Kept], str]) -> None:
        if not isinstance(path, str | os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise StoreError(f"store: expected the path of a folder; received {path!r}.")
        self._path = Path(path)
        self._of_line, self._as_line = read, write
        self._release: Callable[[], None] | None = None
        self.kept: list[Kept] = []

    def __enter__(self) -> Self:
        filelock = required("filelock", extra="testing", what="A store")
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self._path / "lock", is_singleton=False)
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise StoreError(f"{self._path}: another process runs this campaign. Wait for it to end.") from None
        except OSError as error:
            raise StoreError(f"{self._path}: cannot be used ({error.strerror}).") from error
        self._release = lock.release
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._release is not None:
            self._release()

    def open(self, about: Mapping[str, Any]) -> None:
        """Begin a campaign, or go on with it: read what is there.

        Args:
            about: What decides every row: models, data, mutants, seed, batch size.

        Raises:
            StoreError: The folder holds another campaign; what differs is named.
        """
        wanted: dict[str, Any] = json.loads(json.dumps({"format": FORMAT, **about}))
        header = self._path / "campaign.json"
        if header.exists():
            try:
                held = cast("dict[str, Any]", dict(json.loads(header.read_text())))
            except (ValueError, TypeError) as error:
                raise StoreError(f"{header}: is damaged ({error}).") from None
            other = [key for key in dict.fromkeys((*wanted, *held)) if held.get(key) != wanted.get(key)]
            if other:
                raise StoreError(
                    f"{self._path}: holds another campaign; {', '.join(other)} differ. Take another folder, or give "
                    "what it was begun with."
                )
        else:
            write_atomically(header, [json.dumps(wanted).encode() + b"\n"])
        self._read()

    def add(self, new: Iterable[Kept]) -> None:
        """Append lines; they are on the disk when it returns.

        Raises:
            StoreError: The disk is full, or the file cannot be written.
        """
        lines = list(new)
        try:
            with (self._path / "rows.jsonl").open("ab") as file:
                file.write("".join(self._as_line(line) + "\n" for line in lines).encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StoreError(f"{self._path}: rows cannot be written ({error.strerror}).") from error
        self.kept += lines

    def _read(self) -> None:
        rows = self._path / "rows.jsonl"
        if not rows.exists():
            return
        data = rows.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            with rows.open("r+b") as file:
                file.truncate(whole)
        for number, line in enumerate(data[:whole].splitlines(), 1):
            try:
                self.kept.append(self._of_line(line))
            except (RecipeError, ValueError) as error:
                raise StoreError(f"{rows}: line {number} is damaged. {error}") from None
