"""Opening a catalog that this user may not write, or that lies on a read-only file system.

SQLite reads a write-ahead log only with its shared memory beside it, which it cannot make where nothing can be written:

    log and shared memory are there     somebody is at work: read beside them
    neither is there                    the file holds everything: read it as one that does not change
    a log alone                         left by a crash or a copy: the two are copied, and the copies are read

One that an older release made is copied as well, and the copy is brought up to this one.

In the last two cases somebody may begin to write through another way to the same folder: `has_changed` tells.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from artfs.errors import CatalogReplaced

Stamp = tuple[tuple[int, int, int] | None, ...]


def is_read_only(path: Path) -> bool:
    """Whether a catalog is there and cannot be written."""
    return path.exists() and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


class ReadOnlyFile:
    """A catalog's file that cannot be written.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._copies: tempfile.TemporaryDirectory[str] | None = None
        self._stamp: Stamp | None = None
        self._grown: Path | None = None

    def uri(self) -> str:
        """Return what to open just now."""
        if self._grown is not None:
            return f"{self._grown.as_uri()}?mode=ro"
        log, shared = self._beside("-wal"), self._beside("-shm")
        if log.exists() and shared.exists():
            self._stamp = None
            return f"{self._path.as_uri()}?mode=ro"
        self._stamp = self._stamp_now()
        if not log.exists() or log.stat().st_size == 0:
            return f"{self._path.as_uri()}?mode=ro&immutable=1"
        if self._copies is not None:
            self._copies.cleanup()
        self._copies = tempfile.TemporaryDirectory(prefix="artfs-catalog-")
        for source in (self._path, log):
            shutil.copyfile(source, Path(self._copies.name, source.name))
        return Path(self._copies.name, self._path.name).as_uri()

    @contextmanager
    def grown(self, connection: sqlite3.Connection) -> Iterator[str]:
        """Copy what a connection has open, and yield what to open to bring the copy up; it is read afterwards."""
        self._stamp = self._stamp_now()
        self._copies = tempfile.TemporaryDirectory(prefix="artfs-catalog-")
        grown = Path(self._copies.name, self._path.name)
        with closing(sqlite3.connect(grown)) as copy:
            connection.backup(copy)
        yield grown.as_uri()
        self._grown = grown

    def has_changed(self) -> bool:
        """Whether what was opened last is no longer what is there: then it is to be opened again.

        Raises CatalogReplaced if an older release goes on writing what was copied to be brought up.
        """
        if self._grown is not None and self._stamp != self._stamp_now():
            raise CatalogReplaced(
                f"catalog {self._path} is written by an older release: start this program again",
                subject=str(self._path),
            )
        return self._grown is None and self._stamp is not None and self._stamp != self._stamp_now()

    def close(self) -> None:
        """Remove copies."""
        if self._copies is not None:
            self._copies.cleanup()
            self._copies = None
            self._grown = None

    def _beside(self, ending: str) -> Path:
        return self._path.with_name(self._path.name + ending)

    def _stamp_now(self) -> Stamp:
        return tuple(_stamp(path) for path in (self._path, self._beside("-wal")))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
