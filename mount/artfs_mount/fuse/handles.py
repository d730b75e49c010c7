"""Open files and directories: what a file handle stands for, and how it is read.

A read that memory can answer is answered on the event loop, also the kernel's memory of a small file on the disk of the
home; any other goes to a worker thread with a deadline, among the places of its store, so that one slow read holds up
nobody else. A handle that is read from front to back has the next blocks of its window (`artfs.blobs.window`) brought
into memory while the kernel still takes the last one.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from artfs.blobs.window import Cursor
from artfs.errors import ContentNotFound, StoreError
from artfs_mount.fuse.inodes import Inodes
from artfs_mount.incoming.callers import Caller
from artfs_mount.incoming.contents import Contents, OpenFile
from artfs_mount.loop.supervisor import Supervisor, Work
from artfs_mount.loop.threads import READ_SECONDS, Questions, Reads, ThreadPlaces, in_thread
from artfs_mount.tree.files import VersionFile
from artfs_mount.tree.node import PIECE, Listing
from artfs_mount.tree.tree import Told, told

SMALL = 128 * 1024
"""Up to this many bytes are written on the event loop: handing them to a thread costs more than the copy."""

OWN_DESCRIPTORS = 128
"""At least so many are the daemon's own: catalogs of its threads, the home, stores, what is being sealed."""


class FileHandle(Protocol):
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

    def __init__(self, file: VersionFile, questions: Questions, reads: Reads, supervisor: Supervisor) -> None:
        self._file = file
        self._questions = questions
        self._reads = reads
        self._supervisor = supervisor
        self._opened: _OpenBlob | None = None
        self._is_closed = False

    async def read(self, offset: int, size: int) -> bytes | memoryview:
        try:
            blob = self._opened or await self._open()
            data = await blob.read(offset, size)
        except OSError:
            await self._questions.ask(self._file.check_there)
            raise
        for block in blob.cursor.due():
            self._supervisor.start(Work.PREFETCH, blob.prefetch, block)
        return data

    async def _open(self) -> _OpenBlob:
        where = await self._questions.ask(self._file.where)
        places = self._reads.of(where.source)
        if where.is_near:
            cursor = self._file.open()
        else:
            cursor = await places.call(self._file.look_and_open, seconds=READ_SECONDS)
        if self._opened is None and not self._is_closed:
            self._opened = _OpenBlob(cursor, places, is_near=where.is_near)
        else:  # another read of this handle was quicker, or it was closed; nobody has read from this one
            cursor.close()
        if self._opened is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._opened

    def close(self) -> None:
        self._is_closed = True
        if self._opened is None:
            return
        if self._opened.is_quick:
            self._opened.cursor.close()
        else:
            self._supervisor.start(Work.CLOSE, self._opened.close)


class _OpenBlob:
    """A blob being read. is_near: its bytes lie on the disk of the home, so that a small one is closed at once."""

    def __init__(self, cursor: Cursor, places: ThreadPlaces, *, is_near: bool) -> None:
        self.cursor = cursor
        self.is_quick = is_near and cursor.size <= SMALL
        self._is_near = is_near
        self._places = places

    async def read(self, offset: int, size: int) -> bytes | memoryview:
        data = self.cursor.peek(offset, size, is_near=self._is_near)
        if data is None:
            return await self._places.call(self.cursor.read, offset, size, seconds=READ_SECONDS)
        return data

    async def close(self) -> None:
        """Lets go of the reader, which a read that is stuck may hold: nobody waits for that."""
        with suppress(OSError):
            await self._places.call(self.cursor.close, seconds=READ_SECONDS)

    async def prefetch(self, block: int) -> None:
        """Brings a block into memory. The read that needs it meets what keeps it from coming."""
        with suppress(OSError):
            await self._places.call(self.cursor.prefetch, block, seconds=READ_SECONDS)


class DraftHandle:
    """A file below `/incoming`."""

    def __init__(self, file: OpenFile, contents: Contents) -> None:
        self.node = file.node
        self._file = file
        self._contents = contents

    async def read(self, offset: int, size: int) -> bytes | memoryview:
        data = self._contents.read_at_once(self.node, offset, size)
        if data is not None:
            return data
        try:
            return await in_thread(self._contents.read, self.node, self._file.reader, offset, size)
        except (ContentNotFound, StoreError, FileNotFoundError):
            if self.node.links or self.node.blob is None:
                raise
            # Only stubs that have a name keep the content of a version that is removed.
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE)) from None

    async def write(self, offset: int, data: bytes) -> int:
        try:
            count = await self._write(offset, data)
        except OSError:
            self._contents.failed(self._file)
            raise
        self._contents.wrote(self._file)
        return count

    async def truncate(self, size: int) -> None:
        """Sets the file's size, which may take its time: another handle may be bringing a stub's bytes back."""
        await in_thread(self._contents.truncate_open, self.node, size, seconds=None)
        self._contents.truncated(self._file, size)

    def flush(self) -> None:
        """A process lets go of the file, which others may still have open."""
        self._contents.flushed(self._file)

    def close(self) -> None:
        self._contents.close(self._file)

    async def _write(self, offset: int, data: bytes) -> int:
        if len(data) <= SMALL and self.node.blob is None:
            return self._contents.write(self.node, offset, data)
        return await in_thread(self._contents.write, self.node, offset, data, seconds=None)


@dataclass
class DirectoryHandle:
    """A directory being listed: positions hold while entries come and go.

    reader: whoever opened it. names: of a directory of drafts, when it was last read from the start. listing: of any
    other, since then. told: the piece of it that was read last, in which several requests find their answers. begin:
    the position that it comes after.
    """

    number: int
    reader: Caller
    names: list[bytes] = field(default_factory=list)
    listing: Listing | None = None
    told: Sequence[Told] = ()
    begin: int = 0

    async def after(self, position: int, questions: Questions, inodes: Inodes) -> Sequence[Told]:
        """What a directory of the read-only tree holds after a position, a piece at a time; 0 begins anew."""
        if position == 0 or self.listing is None:
            self.listing, first = await questions.ask(inodes.list, self.number, self.reader)
            self._keep(0, first)
        known = self._known(position)
        return known if known is not None else self._keep(position, await questions.ask(told, self.listing, position))

    def _known(self, position: int) -> Sequence[Told] | None:
        """What comes after a position, as far as it was read already; None where more is to be read."""
        if position == self.begin:
            return self.told
        for at, entry in enumerate(self.told, 1):
            if entry.position == position:
                return self.told[at:] if at < len(self.told) or at < PIECE else None
        return None

    def _keep(self, position: int, piece: Sequence[Told]) -> Sequence[Told]:
        self.begin, self.told = position, piece
        return piece


class Handles:
    """The table of what is open, and of who opened it.

    Behind most handles is a descriptor of this process, of which there are so many. Any user but those that the daemon
    trusts may hold half of what the others leave: however many come, there is something left for the next, and for the
    daemon itself.

    limit: how many descriptors this process may have.
    """

    def __init__(self, limit: int) -> None:
        self._open: dict[int, tuple[FileHandle | DirectoryHandle, int]] = {}
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

    def add(self, handle: FileHandle | DirectoryHandle, uid: int) -> int:
        self._last += 1
        self._open[self._last] = handle, uid
        self._counts[uid] += 1
        return self._last

    def file(self, number: int) -> FileHandle:
        handle, _ = self._open[number]
        assert not isinstance(handle, DirectoryHandle), "the kernel keeps the two kinds apart"
        return handle

    def flush(self, number: int) -> None:
        """A process lets go of a file: said of each descriptor that it closes."""
        handle, _ = self._open[number]
        if isinstance(handle, DraftHandle):
            handle.flush()

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
