"""A run that is kept in a database: SQLite in a file (WAL), or PostgreSQL, by SQLAlchemy."""

from __future__ import annotations

import contextlib
import functools
import json
import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from genewright.errors import MissingExtraError, RecipeError, StoreError, UnknownNameError
from genewright.evolution.individual import Individual
from genewright.evolution.stores.locking import locked_database, locked_file
from genewright.evolution.stores.store import Store
from genewright.evolution.stores.tables import FORMAT, Tables, digest_of, individual_of, row_of
from genewright.extras import required
from genewright.operator import AnyOperator, operator_from_json

_DIGEST = "digest"  # among what a run is: of all the rest
_AT_ONCE = 1000  # rows read together
_SHORT = 4000  # letters: the texts of operators that are looked for among those that are there
_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000")
Mode = Literal["new", "resume", "read"]


class DatabaseStore(Store):
    """Keeps a run in a database.

    What `write` has returned from is there after a kill at any instant, of this process or of others. (With SQLite, a
    power cut may lose the last moments; the run is whole then, and goes on from a little earlier.)

    Args:
        place: The path of an SQLite file, or an SQLAlchemy URL of SQLite or PostgreSQL.
        mode: "new" for a run that begins, "resume" for one that goes on; "read" changes nothing and takes no lock.

    Raises:
        StoreError: There is a run already, or none; it is damaged, in use, or cannot be opened.
        MissingExtraError: SQLAlchemy, or the database's driver, is not installed.
    """

    def __init__(self, place: str | os.PathLike[str], mode: Mode) -> None:
        self._alchemy = required("sqlalchemy", extra="evolution", what="store=")
        self._tables = Tables(self._alchemy)
        self._name, self._url, self._path = _place(place, self._alchemy)
        self._release: Callable[[], None] = _nothing
        self._texts: dict[str, int] = {}
        self._count = 0
        if self._path is not None:
            self._look_at_file(self._path, mode)
        self._engine: Any = None
        self._connection: Any = None
        self._write_reads: Any = None
        try:
            self._open(mode)
        except BaseException:
            self.close()
            raise

    def begin(self, about: Mapping[str, Any]) -> None:
        with self._told(), self._connection.begin():
            texts = {name: json.dumps(value) for name, value in about.items()}
            texts[_DIGEST] = str(digest_of(sorted(texts.items())))
            rows = [{"name": name, "value": text} for name, text in texts.items()]
            self._connection.execute(self._alchemy.insert(self._tables.about), rows)

    def about(self) -> dict[str, Any]:
        with self._told():
            rows = self._connection.execute(self._alchemy.select(self._tables.about)).all()
            self._connection.commit()
            texts: dict[str, str] = dict(map(tuple, rows))
            digest = texts.pop(_DIGEST, "")
            if (
                texts.get("format", str(FORMAT)) == str(FORMAT)
                and texts
                and digest != str(digest_of(sorted(texts.items())))
            ):
                raise ValueError("what the run is does not stand there as it was written")
            return {name: json.loads(value) for name, value in texts.items()}

    def write(self, individuals: Sequence[Individual]) -> None:
        with self._told():
            texts, count = dict[str, int](), self._count
            rows = [row_of(one, self._number(one.genome.operator, texts, count)) for one in individuals]
            with self._connection.begin():
                if texts:
                    new = [{"id": number, "text": text} for text, number in texts.items()]
                    self._connection.execute(self._alchemy.insert(self._tables.operators), new)
                self._connection.execute(self._alchemy.insert(self._tables.individuals), rows)
            self._count += len(texts)
            self._texts.update((text, number) for text, number in texts.items() if len(text) <= _SHORT)

    def individual(self, number: int) -> Individual:
        table = self._tables.individuals
        with self._told():
            rows = self._rows(self._alchemy.select(table).where(table.c.number == number))
        if not rows:
            raise UnknownNameError(f"{self._name}: the run has no individual {number}.")
        return rows[0]

    def individuals(self, first: int = 0) -> Iterator[Individual]:
        table = self._tables.individuals
        while True:
            query = self._alchemy.select(table).where(table.c.number >= first).order_by(table.c.number)
            with self._told():
                rows = self._rows(query.limit(_AT_ONCE))
            yield from rows
            if len(rows) < _AT_ONCE:
                return
            first = rows[-1].number + 1

    def columns(self) -> dict[str, Sequence[Any]]:
        c = self._tables.individuals.c
        again = c.operator.is_(None) & c.parent.is_not(None)
        query = self._alchemy.select(
            c.number, c.generation, c.objective, c.seconds, c.mutation, c.status, c.parent, again.label("reevaluates")
        )
        with self._told():
            rows = self._connection.execute(query.order_by(c.number)).all()
            self._connection.commit()
        names = ("number", "generation", "fitness", "seconds", "mutation", "status", "parent", "reevaluates")
        return dict(zip(names, zip(*rows, strict=True) if rows else ((),) * len(names), strict=True))

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(Exception):  # it may be broken; the lock ends with it
                self._release()
            self._release = _nothing
            self._connection.close()
            self._engine.dispose()
            self._connection = None
        self._release()

    def _look_at_file(self, path: Path, mode: Mode) -> None:
        if mode != "new" and not path.is_file():
            raise StoreError(f"{self._name}: there is no run here. Start one: gw.evolve(..., store={str(path)!r}).")
        if not path.parent.is_dir():
            raise StoreError(f"{self._name}: the folder {path.parent} does not exist. Make it first.")
        if mode != "read":
            self._release = locked_file(path, self._name)

    def _open(self, mode: Mode) -> None:
        with self._told():
            try:
                self._engine = self._alchemy.create_engine(self._url)
            except ImportError as error:
                raise MissingExtraError(f"{self._name} needs a driver: pip install {error.name}.") from error
            dialect = self._engine.dialect.name
            if dialect not in ("sqlite", "postgresql"):
                raise StoreError(f"{self._name}: a store is SQLite or PostgreSQL; received {dialect}.")
            self._connection = self._engine.connect()
            if dialect == "sqlite":
                self._prepare_sqlite(mode)
            elif mode != "read":
                self._release = locked_database(self._connection, self._alchemy, self._name)
            if mode == "new":
                self._tables.metadata.create_all(self._connection)
            self._connection.commit()
            self._read_ahead(mode)

    def _prepare_sqlite(self, mode: Mode) -> None:
        for pragma in _PRAGMAS:
            self._connection.exec_driver_sql(f"PRAGMA {pragma}")
        if mode == "resume":
            found = self._connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
            if found != "ok":
                raise StoreError(_damaged(self._name, str(found)))
        self._connection.commit()

    def _read_ahead(self, mode: Mode) -> None:
        inspector = self._alchemy.inspect(self._connection)
        there = inspector.has_table(self._tables.about.name)
        about = self.about() if there else {}
        self._connection.commit()
        if mode == "new" and about:
            raise StoreError(
                f"{self._name}: holds a run already. Go on with it: gw.resume({self._name!r}, model=..., fitness=...), "
                "or choose another place."
            )
        if mode != "new" and not about:
            raise StoreError(f"{self._name}: there is no run in it. Start one: gw.evolve(..., store={self._name!r}).")
        if about.get("format", FORMAT) != FORMAT:
            raise StoreError(
                f"{self._name}: is of the format {about['format']}, and this version of genewright reads {FORMAT}. Use "
                "the version that wrote it."
            )
        table, function = self._tables.operators, self._alchemy.func
        self._count = self._connection.execute(self._alchemy.select(function.count()).select_from(table)).scalar() or 0
        short = self._alchemy.select(table.c.text, table.c.id).where(function.length(table.c.text) <= _SHORT)
        self._texts = {row[0]: row[1] for row in self._connection.execute(short).all()}
        self._connection.commit()

    def _number(self, operator: AnyOperator | None, texts: dict[str, int], count: int) -> int | None:
        if operator is None:
            return None
        text = _text(operator)
        if text in self._texts:
            return self._texts[text]
        return texts.setdefault(text, count + len(texts))

    def _rows(self, query: Any) -> list[Individual]:
        rows = [dict(row._mapping) for row in self._connection.execute(query).all()]
        table = self._tables.operators
        wanted = sorted({row["operator"] for row in rows if row["operator"] is not None})
        found: dict[int, AnyOperator] = {}
        for start in range(0, len(wanted), _AT_ONCE // 2):
            some = self._alchemy.select(table).where(table.c.id.in_(wanted[start : start + _AT_ONCE // 2]))
            found.update((number, _operator(text)) for number, text in self._connection.execute(some).all())
        self._connection.commit()
        return [individual_of(row, None if row["operator"] is None else found[row["operator"]]) for row in rows]

    @contextlib.contextmanager
    def _told(self) -> Generator[None]:
        """Say the database's errors in words of ours."""
        try:
            yield
        except self._alchemy.exc.SQLAlchemyError as error:
            with contextlib.suppress(Exception):  # whatever a broken connection says; the first error counts
                self._connection.rollback()
            raise StoreError(_in_words(self._name, error)) from error
        except (ValueError, RecipeError, KeyError) as error:
            raise StoreError(_damaged(self._name, str(error))) from error


@functools.lru_cache(maxsize=4096)
def _operator(text: str) -> AnyOperator:
    return operator_from_json(json.loads(text))


@functools.lru_cache(maxsize=1024)
def _text(operator: AnyOperator) -> str:
    return json.dumps(operator.to_json(), separators=(",", ":"), sort_keys=True)


def _place(place: str | os.PathLike[str], alchemy: Any) -> tuple[str, Any, Path | None]:
    """Return a name for messages, the URL, and the path where it is a file."""
    text = os.fspath(place)
    if "://" not in text:
        path = Path(text)
        return text, alchemy.URL.create("sqlite", database=str(path)), path
    try:
        url = alchemy.make_url(text)
    except alchemy.exc.ArgumentError as error:
        raise StoreError(f"{text}: is no SQLAlchemy URL ({error}).") from error
    path = Path(url.database) if url.drivername.startswith("sqlite") and url.database else None
    return url.render_as_string(hide_password=True), url, path


def _in_words(name: str, error: Exception) -> str:
    said = str(getattr(error, "orig", None) or error).strip()
    low = said.lower()
    if "full" in low or "disk i/o" in low or "no space" in low:
        return (
            f"{name}: cannot be written ({said}). What was kept is whole: make room, and go on with "
            f"gw.resume({name!r}, ...)."
        )
    if any(word in low for word in ("malformed", "not a database", "corrupt", "could not decode")):
        return _damaged(name, said)
    return f"{name}: {said}"


def _damaged(name: str, said: str) -> str:
    return f"{name}: is damaged, or no run's store ({said}). It was left as it is; take a copy of it, or start anew."


def _nothing() -> None:
    """Let go of no lock."""
