"""The disk cache: bytes of places that are not on this machine, by content digest, for all processes of a home.

A blob of one block is a file of its bytes. Of a larger one there is a sparse file for each 64 MiB (a *segment*, so
that a file larger than the cache can be read through it): first a map with one byte for each piece of 64 KiB, then the
pieces where they belong. A byte, and not a bit: of two writers none takes back what the other said.

Nothing here is ever synced, and a kill may leave anything: what is read is compared with its digest, and what is wrong
is a miss. So a map that promises too much, a torn write and a bad disk are the same case.

The limit counts the blocks that the files take, and holds at all times. Who writes holds the one lock (flock, which
the kernel frees at death), and books what it will need, at most, before it writes; where that would be too much, the
files used longest ago go first, which also counts anew what is really there. Reading needs no lock. A use is the
file's modification time.

No library does this. diskcache, which comes nearest, keeps whole values: a part of a large file is none; it removes
what is too much only some time after it was written; its index is a database of its own, and it had its last release
in August 2023.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from artfs.content.digest import BLOCK_SIZE, PIECE_SIZE, Digest

if TYPE_CHECKING:
    from artfs.sharing import Sharing

SEGMENT_SIZE = 64 * 2**20
PAUSE_SECONDS = 60.0
"""After an error of its disk the cache is left alone for so long."""

_MAP_SIZE = 4096
_PRESENT = b"\1"
_FILE_BYTES = 16 * 1024
"""What a file may take beside its bytes: its map, and the file system's own notes of where a sparse file has data."""
_SPARE = 20
"""When it is full, this part of the limit is made free: to look at all files takes a while."""
_LOCK = "lock"
_LOCK_SECONDS = 0.2
_CREATE = os.O_RDWR | os.O_CREAT
_BOOKED = struct.Struct("<Q")

logger = logging.getLogger(__name__)


class DiskCache:
    """The cache in a folder. Many threads and processes may use it.

    Args:
        folder: where it is; made when it is needed.
        limit: bytes that it may take.
        sharing: the modes of its files.
    """

    def __init__(self, folder: Path, limit: int, sharing: Sharing) -> None:
        self.limit = limit
        self._folder = folder
        self._sharing = sharing
        self._off_until = 0.0

    def get(self, blob: Digest, size: int, offset: int, length: int, is_right: Callable[[bytes], bool]) -> bytes | None:
        """Return bytes of a blob, if all of them are here and right. What is wrong is forgotten.

        Args:
            blob: its digest.
            size: its bytes.
            offset, length: which of them; whole pieces of one block.
            is_right: compares them with their digest.
        """
        if self._is_off():
            return None
        path, at = self._path(blob, size, offset)
        try:
            with open(path, "r+b", buffering=0) as file:
                data = _read(file.fileno(), size, at, length)
                if data is None:
                    return None
                if is_right(data):
                    os.utime(file.fileno())
                    return data
                logger.info("the disk cache has other bytes in '%s': they are read again", path)
                self._forget(file.fileno(), path, size, at, length)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._failed(error)
        return None

    def put(self, blob: Digest, size: int, offset: int, data: bytes) -> None:
        """Keep verified bytes of a blob, in place of what was not used for longest; where they cannot be kept, do not.

        Args:
            blob: its digest.
            size: its bytes.
            offset: of the data; whole pieces of one block.
            data: the bytes.
        """
        cost = -(-len(data) // _MAP_SIZE) * _MAP_SIZE + _FILE_BYTES
        if cost > self.limit or self._is_off():
            return
        path, at = self._path(blob, size, offset)
        try:
            with self._locked() as lock:
                self._book(lock, cost)
                self._write(path, size, at, data)
        except BlockingIOError:
            logger.info("another process keeps the lock of the disk cache: '%s' is left out", path)
        except OSError as error:
            self._failed(error)

    def used(self) -> int:
        """Return the bytes that its files take, or a little more: what a killed process had booked is among them."""
        try:
            with open(os.path.join(self._folder, _LOCK), "rb") as lock:
                found = lock.read(_BOOKED.size)
        except FileNotFoundError:
            return 0
        return int(_BOOKED.unpack(found)[0]) if len(found) == _BOOKED.size else 0

    def _path(self, blob: Digest, size: int, offset: int) -> tuple[str, int]:
        """The file that has a byte of a blob, and where the byte is in it, not counting the map."""
        name = os.path.join(self._folder, blob.hex())
        if size <= BLOCK_SIZE:
            return name, offset
        return f"{name}.{offset // SEGMENT_SIZE}", offset % SEGMENT_SIZE

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """Open the lock anew each time: forked processes would share one that is open, and hold it together."""
        path = os.path.join(self._folder, _LOCK)
        try:
            lock = self._sharing.opener(path, _CREATE)
        except FileNotFoundError:
            self._sharing.make_folders(self._folder, self._folder.parents[1])
            lock = self._sharing.opener(path, _CREATE)
        try:
            _lock(lock)
            yield lock
        finally:
            os.close(lock)

    def _book(self, lock: int, cost: int) -> None:
        """Take note that more will be here in a moment, and make room for it. Called with the lock held."""
        found = os.pread(lock, _BOOKED.size, 0)
        used = _BOOKED.unpack(found)[0] if len(found) == _BOOKED.size else self.limit
        if used + cost > self.limit:
            used = self._make_room(cost)
        os.pwrite(lock, _BOOKED.pack(used + cost), 0)

    def _make_room(self, cost: int) -> int:
        """Remove what was used longest ago, and return what is left. Called with the lock held."""
        files = sorted(self._files())
        used = sum(taken for _, taken, _ in files)
        if used + cost <= self.limit:
            return used  # more was booked than was written
        most = self.limit - max(cost, self.limit // _SPARE)
        for _, taken, path in files:
            if used <= most:
                break
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            used -= taken
        return used

    def _files(self) -> Iterator[tuple[int, int, str]]:
        """Yield (last use, bytes taken, path) of all files but the lock."""
        with contextlib.suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name != _LOCK:
                    with contextlib.suppress(FileNotFoundError):
                        status = entry.stat(follow_symlinks=False)
                        yield status.st_mtime_ns, status.st_blocks * 512, entry.path

    def _write(self, path: str, size: int, at: int, data: bytes) -> None:
        if size <= BLOCK_SIZE:
            draft = f"{path}.new"
            with _opened(self._sharing.opener(draft, _CREATE | os.O_TRUNC)) as file:
                _write_at(file, data, 0)
            os.rename(draft, path)
            return
        with _opened(self._sharing.opener(path, _CREATE)) as file:
            # Its full size at once, as some file systems take more blocks for a file that grows than it has bytes.
            os.ftruncate(file, _MAP_SIZE + SEGMENT_SIZE)
            _write_at(file, data, _MAP_SIZE + at)
            os.pwrite(file, _PRESENT * -(-len(data) // PIECE_SIZE), at // PIECE_SIZE)

    def _forget(self, file: int, path: str, size: int, at: int, length: int) -> None:
        if size <= BLOCK_SIZE:
            os.unlink(path)
        else:
            first, count = at // PIECE_SIZE, -(-length // PIECE_SIZE)
            os.pwrite(file, bytes(count), first)

    def _is_off(self) -> bool:
        return time.monotonic() < self._off_until

    def _failed(self, error: OSError) -> None:
        """Do without for a while: who reads must not feel that a cache does not work."""
        self._off_until = time.monotonic() + PAUSE_SECONDS
        what = "is full" if error.errno == errno.ENOSPC else f"does not work ({error.strerror or error})"
        logger.warning("the disk of the cache at '%s' %s: reading goes on without it", self._folder, what)


def _read(file: int, size: int, at: int, length: int) -> bytes | None:
    """Bytes of a file of the cache, as they are; None when not all of them are there."""
    if size <= BLOCK_SIZE:
        return os.pread(file, length, at)
    first, count = at // PIECE_SIZE, -(-length // PIECE_SIZE)
    if os.pread(file, count, first) != _PRESENT * count:
        return None
    return os.pread(file, length, _MAP_SIZE + at)


def _lock(file: int) -> None:
    """Lock a file; raise BlockingIOError when that takes long, as when the process that has it was stopped.

    There is no flock with a time limit, so that it is asked again and again.
    """
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
        time.sleep(_LOCK_SECONDS / 100)


@contextlib.contextmanager
def _opened(file: int) -> Iterator[int]:
    try:
        yield file
    finally:
        os.close(file)


def _write_at(file: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, offset)
        view, offset = view[written:], offset + written
