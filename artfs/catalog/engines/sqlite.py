"""The embedded engine: SQLite."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from artfs.catalog.engine import NO_PARAMETERS, Dialect, Parameters, Row
from artfs.catalog.engines.connections import BUSY_SECONDS, Connection, connections
from artfs.catalog.engines.read_only import ReadOnlyFile, is_read_only
from artfs.content.files import sync_file
from artfs.errors import AlreadyExists, CatalogBusy, CatalogCorrupt, CatalogError, CatalogReplaced, InvalidValue
from artfs.sharing import OWNER, make_file

if TYPE_CHECKING:
    from sqlite_utils import Database

SQLITE = Dialect(
    name="sqlite",
    # AUTOINCREMENT: without it the id of a deleted newest row is given out again.
    id="INTEGER PRIMARY KEY AUTOINCREMENT",
    bytes="BLOB",
    integer="INTEGER",
    real="REAL",
    text="TEXT",
)

_ERRORS = (sqlite3.Error, UnicodeEncodeError, OverflowError)
"""What statements raise; those that are not SQLite's own tell of parameters that are no Unicode or beyond 64 bits."""


class SQLiteEngine:
    """A catalog in one file, for the processes of one machine.

    Args:
        path: the file; it is made if it is not there.
        mode: of the file, and of those that SQLite makes beside it.
    """

    dialect = SQLITE
    is_remote = False

    def __init__(self, path: Path, mode: int = OWNER.file) -> None:
        self.path = path
        self.mode = mode
        self._thread = threading.local()
        self._closed = False
        self._read_only = ReadOnlyFile(path) if is_read_only(path) else None
        self._identity: tuple[int, int] | None = None

    @property
    def url(self) -> str:
        return str(self.path)

    def exists(self) -> bool:
        if self.path.is_dir():
            raise CatalogCorrupt(f"catalog {self.path} is a directory: choose another path", subject=str(self.path))
        return self.path.exists() and self.path.stat().st_size > 0

    @contextmanager
    def only_one(self) -> Iterator[None]:
        if self._read_only is not None:
            with self._held() as connection, self._read_only.grown(connection.raw) as uri:
                connection.close()
                self._thread.connection = connections.connect(self.path, self, uri=uri)
                yield
                connections.close_all_of(self)
            return
        # A lock of its own: SQLite's do not cover the switch to a write-ahead log.
        path = self.path.with_name(self.path.name + ".lock")
        make_file(path, self.mode)
        with open(path, "a+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # So that readers and a writer do not wait for each other.
            self.query("PRAGMA journal_mode = WAL")
            yield

    def query(self, sql: str, parameters: Parameters = NO_PARAMETERS) -> list[Row]:
        with self._held() as connection:
            try:
                return connection.raw.execute(sql, parameters).fetchall()
            except _ERRORS as error:
                raise self._translated(error) from error

    def at_once(self, sql: str, columns: Sequence[str], parameters: Parameters = NO_PARAMETERS) -> list[Row]:
        # Each row of an answer is a step of SQLite's, for which Python lets go of the interpreter: here there is one.
        lists = ", ".join(f"json_group_array({column})" for column in columns)
        try:
            (found,) = self.query(f"WITH found({', '.join(columns)}) AS ({sql}) SELECT {lists} FROM found", parameters)
        except sqlite3.OperationalError:
            return self.query(sql, parameters)  # bytes where text belongs: who asked knows what that means
        return list(zip(*map(json.loads, found), strict=True))

    def one(self, sql: str, parameters: Parameters = NO_PARAMETERS) -> Row | None:
        # All rows are fetched: a statement left half done would hold its snapshot open.
        rows = self.query(sql, parameters)
        return rows[0] if rows else None

    def execute(self, sql: str, parameters: Parameters = NO_PARAMETERS) -> int:
        with self._held() as connection:
            try:
                return connection.raw.execute(sql, parameters).rowcount
            except _ERRORS as error:
                raise self._translated(error) from error

    def executemany(self, sql: str, rows: Iterable[Parameters]) -> int:
        with self._held() as connection:
            if connection.depth == 0:
                with self.transaction():
                    return self.executemany(sql, rows)
            try:
                return connection.raw.executemany(sql, rows).rowcount
            except BaseException as error:
                # As if it had joined: some of the rows may be there.
                connection.failed[connection.depth] = error
                if isinstance(error, _ERRORS):
                    raise self._translated(error) from error
                raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._held() as connection:
            depth = connection.depth
            # IMMEDIATE: a reader that becomes a writer half-way could not wait for another writer.
            begin, commit = (f"SAVEPOINT s{depth}", f"RELEASE s{depth}") if depth else ("BEGIN IMMEDIATE", "COMMIT")
            if depth == 0:
                self.check_in_place()
            try:
                # An interrupt that comes while this waits for another writer is raised when it has got the lock.
                self.execute(begin)
                connection.depth = depth + 1
                if depth == 0:
                    self.check_in_place()  # again: this may have waited for long
                yield
                if (failure := connection.failed.get(depth + 1)) is not None:
                    raise CatalogError("a part of this transaction failed, so nothing of it can stay") from failure
                if not connection.is_own:
                    raise CatalogError(f"catalog {self.path}: a transaction ends in the process that began it")
                self.execute(commit)
            except BaseException:
                self._undo(connection, depth)
                raise
            finally:
                connection.depth = depth
                connection.failed.pop(depth + 1, None)
            if depth == 0 and connection.after_commit:
                due, connection.after_commit = connection.after_commit, []
                for _, act in due:
                    act()

    @contextmanager
    def joined(self) -> Iterator[None]:
        with self._held() as connection:
            if connection.depth == 0:
                with self.transaction():
                    yield
                return
            try:
                yield
            except BaseException as error:
                connection.failed[connection.depth] = error
                raise

    def after_commit(self, act: Callable[[], None]) -> None:
        with self._held() as connection:
            if connection.depth:
                connection.after_commit.append((connection.depth, act))
                return
        act()

    def tables(self) -> set[str]:
        rows = self.query("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {row[0] for row in rows if not row[0].startswith("sqlite_")}

    def reserve(self, table: str, count: int) -> Sequence[int]:
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
        return range(last - count + 1, last + 1)

    def stamp(self) -> Hashable:
        # SQLite counts the commits of all other connections, and of this one what it changed itself.
        with self._held() as connection:
            return connection.number, self.query("PRAGMA data_version")[0], connection.raw.total_changes

    def check(self) -> list[str]:
        found = [row[0] for row in self.query("PRAGMA integrity_check")]
        broken = [f"{row[0]} row {row[1]} refers to no {row[2]}" for row in self.query("PRAGMA foreign_key_check")]
        return [line for line in found if line != "ok"] + broken

    def check_in_place(self) -> None:
        if self._identity is not None and _identity(self.path) != self._identity:
            raise CatalogReplaced(
                f"catalog {self.path} was replaced or removed while it was in use: start this program again; a mount: "
                "unmount it and mount it again",
                subject=str(self.path),
            )

    def back_up(self, target: Path) -> None:
        try:
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            raise AlreadyExists(f"'{target}' exists already: choose another name", subject=target) from None
        try:
            with self._held() as connection, closing(sqlite3.connect(target)) as copy:
                connection.raw.backup(copy)
        except BaseException as error:
            target.unlink()
            if isinstance(error, sqlite3.Error):
                raise self._translated(error) from error
            raise
        with target.open("rb") as written:
            sync_file(written.fileno())

    def keep_copy(self, name: str) -> str | None:
        if self._read_only is not None:
            return None
        target = self.path.with_name(name)
        self.back_up(target)
        os.chmod(target, self.mode)
        return str(target)

    @contextmanager
    def utilities(self) -> Iterator[Database]:
        """Lend this thread's connection as a database of sqlite-utils, which knows how to look at schemas."""
        import sqlite_utils  # here: it imports pandas where that is installed, which takes most of a second

        with self._held() as connection:
            yield sqlite_utils.Database(connection.raw, recursive_triggers=False, execute_plugins=False)

    def close(self) -> None:
        self._closed = True
        connections.close_all_of(self)
        if self._read_only is not None:
            self._read_only.close()

    def _held(self) -> Connection:
        """This thread's connection, held: to be used in a `with` statement, which lets go of it."""
        connection: Connection | None = getattr(self._thread, "connection", None)
        if connection is not None and connection.holds and connection.is_usable:
            # Within a block of this thread, which nothing takes it away from.
            connection.lock.acquire()
            connection.holds += 1
            return connection
        while True:
            if connection is not None and self._read_only is not None and self._read_only.has_changed():
                connection.close()
            if connection is None or not connection.is_usable or self._closed:
                connection = self._thread.connection = self._connected()
            if connections.is_forking and not connection.holds:
                connections.wait_for_fork()
            connection.lock.acquire()
            # A fork in another thread may have closed it just now.
            if connection.is_usable:
                connection.holds += 1
                return connection
            connection.lock.release()
            connection = None

    def _connected(self) -> Connection:
        if self._closed:
            raise CatalogError(f"catalog {self.path} is closed")
        if self._identity is not None:
            self.check_in_place()
        try:
            uri = self._read_only.uri() if self._read_only is not None else None
            if uri is None:
                make_file(self.path, self.mode)
            connection = connections.connect(self.path, self, uri=uri)
        except OSError as error:
            raise self._why_not_opened(error) from error
        except sqlite3.DatabaseError as error:
            raise self._translated(error) from error
        if self._identity is None:
            self._identity = _identity(self.path)
        return connection

    def _undo(self, connection: Connection, depth: int) -> None:
        """Roll back to where a transaction was when the block of this depth began."""
        connection.after_commit = [due for due in connection.after_commit if due[0] <= depth]
        # A full disk or an I/O error may have rolled all of it back already.
        if not connection.is_own or not connection.raw.in_transaction:
            return
        if depth == 0:
            self.execute("ROLLBACK")
        elif connection.depth > depth:
            try:
                self.execute(f"ROLLBACK TO s{depth}")
                self.execute(f"RELEASE s{depth}")
            except sqlite3.OperationalError as error:
                # An interrupt came just after it was released: only the block around it can undo it now.
                connection.failed[depth] = error

    def _translated(self, error: Exception) -> Exception:
        if isinstance(error, UnicodeEncodeError | OverflowError) or "binding parameter" in str(error):
            return InvalidValue(f"this cannot be in a catalog, nor be looked for there: {error}")
        # Extended codes keep the primary one in their low byte.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            return CatalogCorrupt(
                f"catalog {self.path} is damaged or not a catalog ({error}): restore it from a backup (artfs "
                "catalog restore FILE), or begin anew without it (artfs init --begin-anew, which says how)",
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
        if code == sqlite3.SQLITE_IOERR and self._is_full():
            # The index of the log is made as a file of its own, and SQLite does not tell why it could not be.
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        if code == sqlite3.SQLITE_IOERR:
            return OSError(errno.EIO, f"{os.strerror(errno.EIO)} ({error})", str(self.path))
        if code == sqlite3.SQLITE_CONSTRAINT:
            return InvalidValue(f"catalog {self.path} refuses a row that does not fit the others ({error})")
        return error

    def _is_full(self) -> bool:
        try:
            return os.statvfs(os.path.dirname(self.path)).f_bavail == 0
        except OSError:
            return False

    def _why_not_opened(self, error: Exception) -> Exception:
        """SQLite does not say why; the system does."""
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, self.mode))
        except OSError as reason:
            return reason
        return OSError(errno.EIO, f"{os.strerror(errno.EIO)} ({error})", str(self.path))


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file is at a path; None if there is none."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
