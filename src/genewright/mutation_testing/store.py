"""Where a campaign is kept: a folder with what it is, and one line a mutant, appended as mutants are done."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from genewright.errors import StoreError
from genewright.extras import required
from genewright.mutation_testing.record import Record
from genewright.storage import write_atomically

FORMAT = 1


class CampaignStore:
    """A folder of a campaign: ``campaign.json`` and ``rows.jsonl``.

    A line is whole or is not counted: what was written last when the process was killed is cut off and run again.

    Args:
        path: The folder; it is made.

    Raises:
        StoreError: Another process has it, it cannot be written, or it is damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._release: Callable[[], None] | None = None
        self.records: dict[int, Record] = {}

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
                held = cast("dict[str, Any]", json.loads(header.read_text()))
            except ValueError as error:
                raise StoreError(f"{header}: is damaged ({error}).") from None
            other = [key for key in wanted if held.get(key) != wanted[key]]
            if other:
                raise StoreError(
                    f"{self._path}: holds another campaign; {', '.join(other)} differ. Take another folder, or give "
                    "what it was begun with."
                )
        else:
            write_atomically(header, [json.dumps(wanted).encode() + b"\n"])
        self._read()

    def add(self, records: Iterable[Record]) -> None:
        """Append rows; they are on the disk when it returns.

        Raises:
            StoreError: The disk is full, or the file cannot be written.
        """
        new = list(records)
        try:
            with (self._path / "rows.jsonl").open("ab") as file:
                file.write("".join(record.to_json() + "\n" for record in new).encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StoreError(f"{self._path}: rows cannot be written ({error.strerror}).") from error
        self.records.update((record.number, record) for record in new)

    def _read(self) -> None:
        rows = self._path / "rows.jsonl"
        if not rows.exists():
            return
        data = rows.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            with rows.open("r+b") as file:
                file.truncate(whole)
        for line in data[:whole].splitlines():
            record = Record.from_json(line)
            self.records[record.number] = record
