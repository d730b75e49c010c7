"""Open files and directories: what a file handle stands for, and how it is read.

A read that memory can answer is answered on the event loop; one that may wait for a disk goes to a worker thread with a
deadline, so that one slow read holds up nobody else. A handle that is read from front to back has the next blocks of
its window (`artfs.blobs.window`) brought into memory while the kernel still takes the last one.
"""

from __future__ import annotations

import errno
import logging
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import trio

from artfs.blobs.window import Cursor
from artfs.errors import ArtfsError
from artfs_mount.incoming.callers import Caller
from artfs_mount.incoming.contents import Contents, Reader
from artfs_mount.incoming.nodes import Node
from artfs_mount.supervisor import Supervisor, Work
from artfs_mount.tree.node import Node as TreeNode

log = logging.getLogger(__name__)

READ_SECONDS = 60.0
"""A read of local disks that takes longer fails with ETIMEDOUT; remote stores have shorter deadlines of their own."""

SMALL = 128 * 1024
"""Up to this many bytes are written on the event loop: handing them to a thread costs more than the copy."""

OWN_DESCRIPTORS = 128
"""At least so many are the daemon's own: catalogs of its threads, the home, stores, what is being sealed."""

T = TypeVar("T")


async def in_thread(function: Callable[..., T], *arguments: object, seconds: float | None = READ_SECONDS) -> T:
    """Runs a call on a worker thread. After `seconds` the caller gets ETIMEDOUT and the thread is left to itself.

    So it is when the caller is cancelled: a thread that is stuck must not keep the daemon from ending.
    """
    call = _Call(function, arguments)
    with trio.move_on_after(seconds if seconds is not None else float("inf")):
        try:
            return await trio.to_thread.run_sync(call.run, abandon_on_cancel=True)
        finally:
            call.is_awaited = False
    raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))


class _Call(Generic[T]):
    """A call on a worker thread. Nobody else hears of an error that comes when its caller has gone."""

    def __init__(self, function: Callable[..., T], arguments: tuple[Any, ...]) -> None:
        self.is_awaited = True
        self._function = function
        self._arguments = arguments

    def run(self) -> T:
        try:
            return self._function(*self._arguments)
        except (ArtfsError, OSError) as error:
            if not self.is_awaited:
                log.info("a call that nobody waited for any more failed: %s", error)
            raise
        except BaseException:
            if not self.is_awaited:
                log.exception("a call that nobody waited for any more failed")
            raise


class Handle(Protocol):
    """An open file."""

    async def read(self, offset: int, size: int) -> bytes | memoryview: ...

    def close(self) -> None: ...


class TextHandle:
    """A generated file: its bytes as they were when it was opened."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def read(self, offset: int, size: int) -> bytes | memoryview:
        return self._content[offset : offset + size]

    def close(self) -> None:
        """Nothing is held."""


class BlobHandle:
    """A file of a version. Its blob is looked up at the first read: what the kernel has in memory needs none."""

    def __init__(self, open_blob: Callable[[], Cursor], supervisor: Supervisor) -> None:
        self._open_blob = open_blob
        self._supervisor = supervisor
        self._cursor: Cursor | None = None

    async def read(self, offset: int, size: int) -> bytes | memoryview:
        if self._cursor is None:
            self._cursor = self._open_blob()
        cursor = self._cursor
        data = cursor.peek(offset, size)
        if data is None:
            data = await in_thread(cursor.read, offset, size)
        for block in cursor.due():
            self._supervisor.start(Work.PREFETCH, _prefetch, cursor, block)
        return data

    def close(self) -> None:
        if self._cursor is not None:
            self._cursor.close()


async def _prefetch(cursor: Cursor, block: int) -> None:
    await in_thread(cursor.prefetch, block, seconds=None)


class DraftHandle:
    """A file below `/incoming`."""

    def __init__(self, node: Node, contents: Contents, reader: Reader | None, *, writer: bool) -> None:
        self.node = node
        self._contents = contents
        self._reader = reader
        self._writer = writer

    async def read(self, offset: int, size: int) -> bytes | memoryview:
        data = self._contents.read_at_once(self.node, offset, size)
        if data is None:
            data = await in_thread(self._contents.read, self.node, self._reader, offset, size)
        return data

    async def write(self, offset: int, data: bytes) -> int:
        if len(data) <= SMALL and self.node.blob is None:
            return self._contents.write(self.node, offset, data)
        return await in_thread(self._contents.write, self.node, offset, data, seconds=None)

    def close(self) -> None:
        self._contents.close(self.node, writer=self._writer, reader=self._reader)


@dataclass
class DirectoryHandle:
    """A directory's names when it was last read from the start, so that positions hold while entries come and go.

    reader: whoever opened it.
    """

    number: int
    reader: Caller
    names: list[tuple[bytes, TreeNode | None]]


class Handles:
    """The table of what is open, and of who opened it.

    Behind most handles is a descriptor of this process, of which there are so many. Any user but those that the daemon
    trusts may hold half of what the others leave: however many come, there is something left for the next, and for the
    daemon itself.

    limit: how many descriptors this process may have.
    """

    def __init__(self, limit: int) -> None:
        self._open: dict[int, tuple[Handle | DirectoryHandle, int]] = {}
        self._counts: Counter[int] = Counter()
        self._room = limit - max(limit // 8, OWN_DESCRIPTORS)
        self._last = 0

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, caller: Caller) -> None:
        """Raises OSError (EMFILE) for a user who has too much open already. To be asked before anything is opened."""
        own = self._counts[caller.uid]
        others = len(self._open) - own
        if own >= (self._room - others if caller.is_trusted else (self._room - others) // 2):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    def add(self, handle: Handle | DirectoryHandle, uid: int) -> int:
        self._last += 1
        self._open[self._last] = handle, uid
        self._counts[uid] += 1
        return self._last

    def file(self, number: int) -> Handle:
        handle, _ = self._open[number]
        assert not isinstance(handle, DirectoryHandle), "the kernel keeps the two kinds apart"
        return handle

    def draft(self, number: int) -> DraftHandle:
        handle, _ = self._open[number]
        if not isinstance(handle, DraftHandle):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return handle

    def directory(self, number: int) -> DirectoryHandle:
        handle, _ = self._open[number]
        assert isinstance(handle, DirectoryHandle), "the kernel keeps the two kinds apart"
        return handle

    def close(self, number: int) -> None:
        handle, uid = self._open.pop(number)
        self._counts[uid] -= 1
        if not self._counts[uid]:
            del self._counts[uid]
        if not isinstance(handle, DirectoryHandle):
            handle.close()
