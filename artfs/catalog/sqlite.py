"""The embedded engine: SQLite through sqlite-utils."""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
import threading
import weakref
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from artfs.catalog.engine import NO_PARAMETERS, Dialect, Parameters, Row
from artfs.errors import CatalogBusy, CatalogCorrupt, CatalogError, InvalidValue

if TYPE_CHECKING:
    from sqlite_utils import Database

BUSY_SECONDS = 30.0

SQLITE = Dialect(
    name="sqlite",
    # AUTOINCREMENT: without it the id of a deleted newest row is given out again.
    id="INTEGER PRIMARY KEY AUTOINCREMENT",
    bytes="BLOB",
    integer="INTEGER",
    real="REAL",
)

_PRAGMAS = (
    f"busy_timeout = {int(BUSY_SECONDS * 1000)}",
    "synchronous = FULL",
    "foreign_keys = ON",
    # As in PostgreSQL: LIKE tells upper from lower case.
    "case_sensitive_like = ON",
    "temp_store = MEMORY",
    "cache_size = -8192",
    # The log beside the catalog counts as disk use: at most 2 MiB of it stay, half of SQLite's usual 1,000 pages.
    "wal_autocheckpoint = 500",
    "journal_size_limit = 2097152",
)


class SQLiteEngine:
    """A catalog in one file, for the processes of one machine.

    Args:
        path: the file; it is made if it is not there.
    """

    dialect = SQLITE
    is_local = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self._thread = threading.local()
        self._sessions: weakref.WeakSet[_Session] = weakref.WeakSet()
        self._sessions_lock = threading.Lock()
        self._closed = False

    @property
    def url(self) -> str:
        return str(self.path)

    def prepare(self) -> None:
        """Switch a new file to a write-ahead log, so that readers and a writer do not wait for each other."""
        self._session().database.enable_wal()

    def query(self, sql: str, parameters: Parameters = NO_PARAMETERS) -> list[Row]:
        try:
            return self._session().database.execute(sql, parameters).fetchall()  # type: ignore[arg-type]
        except sqlite3.DatabaseError as error:
            raise self._translated(error) from error

    def one(self, sql: str, parameters: Parameters = NO_PARAMETERS) -> Row | None:
        # All rows are fetched: a statement left half done would hold its snapshot open.
        rows = self.query(sql, parameters)
        return rows[0] if rows else None

    def execute(self, sql: str, parameters: Parameters = NO_PARAMETERS) -> int:
        try:
            return self._session().database.execute(sql, parameters).rowcount  # type: ignore[arg-type]
        except sqlite3.DatabaseError as error:
            raise self._translated(error) from error

    def executemany(self, sql: str, rows: Iterable[Parameters]) -> int:
        with self.joined():
            try:
                return self._session().database.conn.executemany(sql, rows).rowcount
            except sqlite3.DatabaseError as error:
                raise self._translated(error) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        session = self._session()
        depth = session.depth
        # IMMEDIATE: a reader that becomes a writer half-way could not wait for another writer.
        begin, commit, rollback = (
            ("BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",))
            if depth == 0
            else (f"SAVEPOINT s{depth}", f"RELEASE s{depth}", (f"ROLLBACK TO s{depth}", f"RELEASE s{depth}"))
        )
        self.execute(begin)
        session.depth = depth + 1
        try:
            yield
            if session.spoiled is not None:
                raise CatalogError("a part of this transaction failed, so nothing of it can stay") from session.spoiled
            self.execute(commit)
        except BaseException:
            session.spoiled = None
            # A full disk or an I/O error may have rolled all of it back already.
            if session.database.conn.in_transaction:
                for statement in rollback:
                    self.execute(statement)
            raise
        finally:
            session.depth = depth

    @contextmanager
    def joined(self) -> Iterator[None]:
        session = self._session()
        if session.depth == 0:
            with self.transaction():
                yield
            return
        try:
            yield
        except BaseException as error:
            session.spoiled = error
            raise

    def tables(self) -> set[str]:
        rows = self.query("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {row[0] for row in rows if not row[0].startswith("sqlite_")}

    def reserve(self, table: str, count: int) -> int:
        # Rows inserted with these ids move the sequence themselves; this covers those that are then not used.
        row = self.one(
            "UPDATE sqlite_sequence SET seq = seq + :count WHERE name = :table RETURNING seq",
            {"table": table, "count": count},
        )
        if row is None:
            self.execute(
                "INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :count)", {"table": table, "count": count}
            )
        last: int = row[0] if row else count
        return last - count + 1

    def stamp(self) -> Hashable:
        # SQLite counts the commits of all other connections, and of this one what it changed itself.
        session = self._session()
        return session.number, self.query("PRAGMA data_version")[0], session.database.conn.total_changes

    def check(self) -> list[str]:
        found = [row[0] for row in self.query("PRAGMA integrity_check")]
        broken = [f"{row[0]} row {row[1]} refers to no {row[2]}" for row in self.query("PRAGMA foreign_key_check")]
        return [line for line in found if line != "ok"] + broken

    def close(self) -> None:
        with self._sessions_lock:
            self._closed = True
            sessions = list(self._sessions)
            self._sessions.clear()
        for session in sessions:
            if session.process == os.getpid():
                session.database.close()

    def _session(self) -> _Session:
        session: _Session | None = getattr(self._thread, "session", None)
        if session is not None and session.process == os.getpid() and not self._closed:
            return session
        if self._closed:
            raise CatalogError(f"catalog {self.path} is closed")
        if session is not None:
            _inherited.append(session)
        try:
            session = _Session(_connect(self.path))
        except sqlite3.DatabaseError as error:
            raise self._translated(error) from error
        with self._sessions_lock:
            self._sessions.add(session)
        self._thread.session = session
        return session

    def _translated(self, error: sqlite3.DatabaseError) -> Exception:
        # Extended codes keep the primary one in their low byte.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            return CatalogCorrupt(
                f"catalog {self.path} is damaged or not a catalog ({error}): restore it from a backup, or move it away "
                "to begin anew",
                subject=str(self.path),
            )
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return CatalogBusy(
                f"catalog {self.path} has been busy for {BUSY_SECONDS:.0f} s: another process holds it, try again when "
                "it has ended",
                subject=str(self.path),
            )
        if code == sqlite3.SQLITE_FULL:
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        if code == sqlite3.SQLITE_READONLY:
            return OSError(errno.EROFS, os.strerror(errno.EROFS), str(self.path))
        if code == sqlite3.SQLITE_CANTOPEN:
            return self._why_not_opened(error)
        if code == sqlite3.SQLITE_IOERR:
            return OSError(errno.EIO, f"{os.strerror(errno.EIO)} ({error})", str(self.path))
        if code == sqlite3.SQLITE_CONSTRAINT:
            return InvalidValue(f"catalog {self.path} refuses a row that does not fit the others ({error})")
        return error

    def _why_not_opened(self, error: sqlite3.DatabaseError) -> Exception:
        """SQLite does not say why; the system does."""
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644))
        except OSError as reason:
            return reason
        return OSError(errno.EIO, f"{os.strerror(errno.EIO)} ({error})", str(self.path))


class _Session:
    """One thread's connection."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.depth = 0
        self.spoiled: BaseException | None = None
        """What failed in a block that cannot be undone alone."""
        self.process = os.getpid()
        self.number = os.urandom(8)

    def __del__(self) -> None:
        # The thread has ended.
        if self.process == os.getpid():
            self.database.close()


#: Connections that came along with a fork. Closing one would drop the parent's locks, so they are kept, unused.
_inherited: list[_Session] = []


def _connect(path: Path) -> Database:
    connection = sqlite3.connect(
        path,
        timeout=BUSY_SECONDS,
        # Autocommit: transactions begin and end where `transaction` says.
        isolation_level=None,
        # `close` closes the connections of all threads.
        check_same_thread=False,
        cached_statements=512,
    )
    database: Database = _sqlite_utils().Database(connection, recursive_triggers=False, execute_plugins=False)
    for pragma in _PRAGMAS:
        database.execute(f"PRAGMA {pragma}")
    return database


def _sqlite_utils() -> ModuleType:
    """Import sqlite-utils without pandas and numpy, which it would load where installed: a quarter of a second."""
    if "sqlite_utils" not in sys.modules:
        finder = _HoldBack(("pandas", "numpy"))
        sys.meta_path.insert(0, finder)
        try:
            import sqlite_utils
        finally:
            sys.meta_path.remove(finder)
    import sqlite_utils

    return sqlite_utils


class _HoldBack(MetaPathFinder):
    """Lets this thread find no module of these names; other threads import as ever."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._thread = threading.get_ident()

    def find_spec(self, fullname: str, path: object, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname in self._names and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"{fullname} is not needed here", name=fullname)
        return None
