"""Connections to SQLite: one a thread, and none that is open while the process forks."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

BUSY_SECONDS = 30.0

_FORK_SECONDS = 1.0
"""How long a fork waits for other threads to end what they do in the catalog."""

_PRAGMAS = (
    # Small: a save changes a few bytes on each of thirty pages, and all of them go to the log. Only for a new catalog.
    "page_size = 1024",
    f"busy_timeout = {int(BUSY_SECONDS * 1000)}",
    "synchronous = FULL",
    "foreign_keys = ON",
    # As in PostgreSQL: LIKE tells upper from lower case.
    "case_sensitive_like = ON",
    "temp_store = MEMORY",
    "cache_size = -8192",
    # The log beside the catalog counts as disk use: no more of it stays.
    "journal_size_limit = 2097152",
)
_LOG_BYTES = 1_750_000
"""Where the log is written over from its beginning: before the limit, as it would have to grow again when cut off."""


class Connection:
    """The connection of one thread. As a context it ends the hold that its user took of `lock`.

    Args:
        raw: the open file.
        owner: the engine that it belongs to.
    """

    def __init__(self, raw: sqlite3.Connection, owner: object) -> None:
        self.raw = raw
        self.owner = weakref.ref(owner)
        self.lock = threading.RLock()
        """Held by its thread while that uses it, and by a fork while that closes it."""
        self.holds = 0
        """How often its thread holds it: a statement within a transaction holds it again."""
        self.depth = 0
        """How many blocks of transactions are open, one in the other."""
        self.after_commit: list[tuple[int, Callable[[], None]]] = []
        """What is to be called after the commit, each with the depth of the block that asked for it."""
        self.failed: dict[int, BaseException] = {}
        """By the depth of a block: what failed in a part of it that cannot be undone alone."""
        self.number = os.urandom(8)
        self._process = os.getpid()
        self._is_open = True
        self._is_ending = False

    @property
    def is_own(self) -> bool:
        """Whether this process opened it, and not one that it was forked from."""
        return self._process == os.getpid()

    @property
    def is_usable(self) -> bool:
        """Whether statements may be given to it."""
        return self._is_open and self._process == os.getpid()

    def close(self) -> None:
        """Close it; the thread's next statement opens another one."""
        self._is_open = False
        self.raw.close()

    def end(self) -> None:
        """Close it as soon as its thread does not use it: closed under a statement, SQLite crashes the process."""
        self._is_ending = True
        if self.lock.acquire(blocking=False):
            if not self.holds and self.is_usable:
                self.close()
            self.lock.release()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.holds -= 1
        self.lock.release()
        if self._is_ending:
            self.end()

    def __del__(self) -> None:
        # The thread has ended.
        if self.is_usable:
            self.close()


class Connections:
    """All connections of this process, which it closes before it forks. There is one, `connections`.

    SQLite remembers for the whole process which locks it has, and a child inherits that memory without the locks. It
    would believe itself safe while its parent, as the last one to close the catalog, removes the log: what the child
    commits from then on would be in a file that is no more.
    """

    def __init__(self) -> None:
        self.is_forking = False
        """Whether threads that hold no connection must wait before they take one: see `wait_for_fork`."""
        self._lock = threading.Lock()
        self._all: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._held: list[Connection] = []
        self._left_open: list[Connection] = []

    def connect(self, path: Path, owner: object, *, uri: str | None = None) -> Connection:
        """Open the file at `path` for an engine, or what `uri` says. Raises what sqlite3 raises."""
        with self._lock:
            connection = Connection(_connect(uri or str(path), is_uri=uri is not None), owner)
            self._all.add(connection)
        return connection

    def close_all_of(self, owner: object) -> None:
        """Close the connections of an engine, of all threads; one that is in use, when its thread has done with it."""
        with self._lock:
            found = [connection for connection in self._all if connection.owner() is owner and connection.is_usable]
        for connection in found:
            connection.end()

    def before_fork(self) -> None:
        """Close what can be closed, and let no thread use or open a connection until the fork is through.

        Threads that are at work get a moment to come to an end.
        """
        self._lock.acquire()
        self.is_forking = True
        deadline = time.monotonic() + _FORK_SECONDS
        for connection in [each for each in self._all if each.is_usable]:
            if not connection.lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
                self._left_open.append(connection)
                continue
            self._held.append(connection)
            if connection.depth:
                self._left_open.append(connection)
            else:
                connection.close()

    def wait_for_fork(self) -> None:
        """Return when a fork that is about to happen is through."""
        with self._lock:
            pass

    def after_fork_in_parent(self) -> None:
        """Go on, also with what was left open."""
        self._left_open = [connection for connection in self._left_open if not connection.is_own]
        self._let_go()

    def after_fork_in_child(self) -> None:
        """Go on. What was left open is kept for ever, unused: the parent is in the midst of it."""
        self._let_go()

    def _let_go(self) -> None:
        self.is_forking = False
        while self._held:
            self._held.pop().lock.release()
        self._lock.release()


connections = Connections()
os.register_at_fork(
    before=connections.before_fork,
    after_in_parent=connections.after_fork_in_parent,
    after_in_child=connections.after_fork_in_child,
)


def _connect(path: str, *, is_uri: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path,
        timeout=BUSY_SECONDS,
        uri=is_uri,
        # Autocommit: transactions begin and end where `transaction` says.
        isolation_level=None,
        # `close` closes the connections of all threads.
        check_same_thread=False,
        cached_statements=512,
    )
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    [(page_bytes,)] = connection.execute("PRAGMA page_size").fetchall()
    connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_BYTES // page_bytes}")
    return connection
