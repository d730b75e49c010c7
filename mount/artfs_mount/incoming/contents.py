"""The bytes of files in `/incoming`: open, read, write, truncate, sync, close.

`open`, `close` and `truncate` run on the event loop's thread. `read`, `write` and `sync` may run on worker threads; a
node's lock puts them in order where order matters (turning a stub back into a file, hashing what is written).

A file that is open has one descriptor, shared by all its handles: a file that holds its own bytes is read and written
through it. A stub is read from its blob; the first write copies the blob's bytes into it, and from then on it is a file
again.
"""

from __future__ import annotations

import errno
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

from artfs.content.digest import BLOCK_SIZE, Digest
from artfs.content.long_paths import lstat, reachable
from artfs_mount.incoming import stubs
from artfs_mount.incoming.complete.events import Closed, Event, Failed, Opened, Stamp, Truncated, Written
from artfs_mount.incoming.complete.process import UNKNOWN, Ending
from artfs_mount.incoming.drafts import Drafts, Who
from artfs_mount.incoming.hashing import BackgroundHasher
from artfs_mount.incoming.nodes import Descriptor, DraftNode, DraftNodes

HASHING_THREADS = 2
WRITTEN_EVERY_SECONDS = 0.5
"""How often it is told of a file that it is being written."""


class Reader(Protocol):
    """Verified access to a blob."""

    def read(self, offset: int, size: int) -> bytes | memoryview: ...

    def close(self) -> None: ...


@dataclass(slots=True, eq=False)
class OpenFile:
    """A handle on a file. number: no other has or had it. reader: the one of a stub that is only read.

    wrote: whether anything was written through it. told_at: when it was last told that it is open or written to.
    ending: how the process that opened it was doing when it let go of it. moment: of the last write, as the observer
    counts; noted: of the last one whose author is known.
    """

    node: DraftNode
    number: int
    who: Who
    writes: bool
    appends: bool = False
    reader: Reader | None = None
    wrote: bool = False
    told_at: float = 0.0
    ending: Ending = UNKNOWN
    moment: int = 0
    noted: int = -1


class Contents:
    """File content of the working directory. `reader` opens a blob for verified reading."""

    def __init__(self, nodes: DraftNodes, drafts: Drafts, reader: Callable[[Digest], Reader]) -> None:
        self._nodes = nodes
        self._drafts = drafts
        self._reader = reader
        self._hashing = ThreadPoolExecutor(HASHING_THREADS, "hash")
        self._numbers = itertools.count(1)

    def open(self, node: DraftNode, flags: int, pid: int, *, anew: bool = False) -> OpenFile:
        """Opens a file. O_TRUNC is left to the caller. anew: nothing is kept of what is in it."""
        if node.blob is not None and not anew:
            self._read_copy(node, pid)
        file = self._file(node, flags, pid, writes=flags & os.O_ACCMODE != os.O_RDONLY)
        if file.writes:
            self._touch(node, file.who)
            self._start_writing(node)
        else:
            file.reader = self._reader(node.blob) if node.blob is not None else None
            node.opens += 1
            with self._let_go_on_failure(file):
                self._descriptor(node, writable=False)
        self._tell_opened(file)
        return file

    def begin_anew(self, node: DraftNode) -> None:
        """Lets what is kept of a file be, as it is about to be truncated to nothing: it gets a new inode."""
        if not self._drafts.pins.holds(node.backing):
            return
        names = [self._nodes.child_path(parent, name) for parent, name in node.links]
        if not names or self._drafts.pins.links(lstat(names[0])) != len(names):
            self._drafts.unpin_file(node.backing)  # it has names that nobody has asked for
            return
        self._nodes.rebind(node, stubs.renew(names, self._drafts.pins.spare()))
        node.descriptor = None

    def opened(self, node: DraftNode, number: int, flags: int, pid: int) -> OpenFile:
        """Takes the descriptor with which a new file was made as its first handle, open for writing."""
        if node.descriptor is None or not node.descriptor.writable:
            node.descriptor = Descriptor(number, writable=True)
        else:
            os.close(number)
        file = self._file(node, flags, pid, writes=True)
        self._start_writing(node)
        self._tell_opened(file)
        return file

    def read(self, node: DraftNode, reader: Reader | None, offset: int, size: int) -> bytes | memoryview:
        """Bytes of a file. `reader`: the handle's own, None when the file became a stub after it was opened."""
        descriptor = self._descriptor(node, writable=False)  # the name keeps it open while this thread reads
        blob = node.blob  # asked after the descriptor was got, which may be the one of a stub
        if blob is None:
            return os.pread(descriptor.number, size, offset)
        if reader is not None:
            return reader.read(offset, size)
        with closing(self._reader(blob)) as passing:
            return passing.read(offset, size)

    def became_stub(self, node: DraftNode, digest: Digest) -> None:
        """Lets a node mean the stub that has taken its file's place; whoever has it open goes on with the blob."""
        node.blob = digest
        node.descriptor = None
        if node.opens:
            self._descriptor(node, writable=False)

    def read_at_once(self, node: DraftNode, offset: int, size: int) -> bytes | memoryview | None:
        """What `read` returns, if the kernel has it in memory; None when a disk would have to be waited for."""
        if node.blob is not None:
            return None
        buffer = bytearray(size)
        descriptor = self._descriptor(node, writable=False)
        try:
            count = os.preadv(descriptor.number, [buffer], offset, os.RWF_NOWAIT)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EOPNOTSUPP):
                return None
            raise
        if count < size and offset + count < os.fstat(descriptor.number).st_size:
            return None
        return memoryview(buffer)[:count]

    def write(self, node: DraftNode, offset: int, data: bytes) -> int:
        """Writes; a failure is remembered with the file and raised."""
        descriptor = node.descriptor
        assert descriptor is not None and descriptor.writable, "written through a handle that is open for writing"
        with _lock(node):
            try:
                self._own(node, descriptor.number, keep=None)
                _write_all(descriptor.number, offset, data)
            except OSError as error:
                # Not the error itself: its frames would keep the file open, and its space taken, after it was removed.
                node.failure = errno.errorcode.get(error.errno or errno.EIO, "EIO")
                raise
            if node.hasher is not None:
                node.hasher.write(offset, data)
        return len(data)

    def wrote(self, file: OpenFile) -> None:
        """Takes note that something was written through a handle."""
        file.wrote = True
        file.moment = self._drafts.moment
        now = self._drafts.clock()
        if now - file.told_at >= WRITTEN_EVERY_SECONDS:
            file.told_at = now
            self._note_author(file)
            self._tell(file.node, Written, self._stamp(file), file.number, _in_order(file, file.node.hasher))

    def failed(self, file: OpenFile) -> None:
        """Takes note that a write through a handle has failed."""
        why = file.node.failure or errno.errorcode[errno.EIO]
        self._tell(file.node, Failed, self._stamp(file), why)

    def truncate(self, node: DraftNode, size: int, who: Who) -> None:
        """Sets a file's size."""
        self._touch(node, who)
        if size == 0:
            self.begin_anew(node)
        elif self._drafts.pins.holds(node.backing):
            self._drafts.unpin_file(node.backing)
        borrowed = node.descriptor is None
        descriptor = self._descriptor(node, writable=True)
        try:
            self._truncate(node, descriptor, size)
        finally:
            if borrowed and node.opens == 0:
                node.descriptor = None
        name = self._nodes.draft_of(node)
        if name is not None:
            self._drafts.wrote(name, who)
        self._tell(node, Truncated, self._drafts.stamp(who), size)

    def truncate_open(self, node: DraftNode, size: int) -> None:
        """Sets the size of a file that is open for writing, which may have to get its bytes back first."""
        self._truncate(node, self._descriptor(node, writable=True), size)

    def truncated(self, file: OpenFile, size: int) -> None:
        """Takes note that a file was given a size through a handle."""
        file.wrote = True
        file.moment = self._drafts.moment
        self._tell(file.node, Truncated, self._stamp(file), size)

    def sync(self, node: DraftNode, *, data_only: bool) -> None:
        """Puts a file's bytes on stable storage."""
        descriptor = node.descriptor
        if descriptor is None:
            return
        (os.fdatasync if data_only else os.fsync)(descriptor.number)

    def flushed(self, file: OpenFile) -> None:
        """Takes note that a process lets go of a handle. It may be gone before the handle is closed."""
        if file.writes:
            file.ending = self._drafts.processes.ending_of(file.who.process)
            self._note_author(file)

    def close(self, file: OpenFile) -> None:
        """Closes a handle; the last one that wrote settles whether the file is whole and what its digest is."""
        node, hasher = file.node, file.node.hasher
        place = self._nodes.place_of(node)
        node.opens -= 1
        try:
            if file.reader is not None:
                file.reader.close()
            if file.writes:
                if place is not None:
                    self._drafts.touch(place.draft)
                    self._note_author(file)
                node.writers -= 1
                if node.writers == 0:
                    self._stop_writing(node, keep_digest=place is not None)
        finally:
            if place is not None:
                how = file.number, file.ending, _in_order(file, hasher)
                self._drafts.tell(place.draft, Closed(place.path, self._stamp(file), *how))
            else:
                self._drafts.closed(file.number)
            self._let_go_if_unused(node)

    def _start_writing(self, node: DraftNode) -> None:
        try:
            descriptor = self._descriptor(node, writable=True)
            if node.writers == 0:
                if self._drafts.pins.holds(node.backing):
                    self._drafts.unpin_file(node.backing)
                stubs.mark_unfinished(descriptor.number, b"open")
                node.failure = None
                if os.fstat(descriptor.number).st_size == 0:
                    node.hasher = BackgroundHasher(self._hashing)
        except BaseException:
            self._let_go_if_unused(node)
            raise
        self._drafts.digests.pop(node.backing, None)
        node.opens += 1
        node.writers += 1

    def _stop_writing(self, node: DraftNode, *, keep_digest: bool) -> None:
        assert node.descriptor is not None, "a handle was open until now"
        number = node.descriptor.number
        if node.failure is None:
            stubs.clear(number, stubs.UNFINISHED)
        else:
            with suppress(OSError):  # then the mark says "open" for ever, which holds the draft just as well
                stubs.mark_unfinished(number, node.failure.encode())
        digest = node.hasher.result(os.fstat(number).st_size) if node.hasher is not None else None
        node.hasher = None
        if digest is not None and keep_digest:
            self._drafts.digests[node.backing] = digest

    def _let_go_if_unused(self, node: DraftNode) -> None:
        if node.opens == 0:
            node.descriptor = None
        self._nodes.release_if_unused(node)

    @contextmanager
    def _let_go_on_failure(self, file: OpenFile) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.close(file)
            raise

    def _truncate(self, node: DraftNode, descriptor: Descriptor, size: int) -> None:
        with _lock(node):
            self._own(node, descriptor.number, keep=size)
            os.ftruncate(descriptor.number, size)
            self._drafts.digests.pop(node.backing, None)
            if size == 0:
                node.failure = None
                if node.writers:
                    node.hasher = BackgroundHasher(self._hashing)
                else:
                    stubs.clear(descriptor.number, stubs.UNFINISHED)
            elif node.hasher is not None:
                node.hasher.truncate(size)

    def _own(self, node: DraftNode, number: int, keep: int | None) -> None:
        """Makes a stub a file that holds its own bytes; `keep`: only so many of them are needed."""
        if node.blob is None:
            return
        size = os.fstat(number).st_size
        with closing(self._reader(node.blob)) as reader:
            try:
                _fill(number, reader, size if keep is None else min(size, keep))
            except OSError:
                os.ftruncate(number, 0)  # it is still a stub, so what was copied is given back
                os.ftruncate(number, size)
                raise
        stubs.clear(number, stubs.BLOB)
        node.blob = None
        node.hasher = None

    def _descriptor(self, node: DraftNode, *, writable: bool) -> Descriptor:
        current = node.descriptor
        if current is not None and (current.writable or not writable):
            return current
        with reachable(self._nodes.path(node)) as path:
            descriptor = Descriptor(_open(path, os.O_RDWR if writable else os.O_RDONLY), writable=writable)
        node.descriptor = descriptor
        return descriptor

    def _file(self, node: DraftNode, flags: int, pid: int, *, writes: bool) -> OpenFile:
        who = self._drafts.who(pid) if writes else self._drafts.reader(pid)
        if writes and who.process is not None and self._drafts.observer is not None:
            self._drafts.observer.notice_writer(who.process)
        appends = writes and bool(flags & os.O_APPEND)
        return OpenFile(node, next(self._numbers), who, writes, appends, told_at=self._drafts.clock())

    def _note_author(self, file: OpenFile) -> None:
        """Takes note of who has written what is new since the last time."""
        name = self._nodes.draft_of(file.node)
        if file.wrote and file.noted != file.moment and name is not None:
            file.noted = file.moment
            self._drafts.wrote(name, file.who, file.moment)

    def _read_copy(self, node: DraftNode, pid: int) -> None:
        """Takes note that somebody opens a file that still has the content of the version that its draft is or was."""
        name = self._nodes.draft_of(node)
        draft = self._drafts.get(name) if name is not None else None
        if draft is not None and draft.version is not None and self._drafts.observer is not None:
            self._drafts.observer.read_copy(pid, draft.name, draft.version)

    def _touch(self, node: DraftNode, who: Who) -> None:
        name = self._nodes.draft_of(node)
        if name is not None:
            self._drafts.touch(name, who)

    def _stamp(self, file: OpenFile) -> Stamp:
        return self._drafts.stamp(file.who)

    def _tell_opened(self, file: OpenFile) -> None:
        self._tell(file.node, Opened, self._stamp(file), file.number, file.writes, file.appends)

    def _tell(self, node: DraftNode, kind: Callable[..., Event], stamp: Stamp, *details: object) -> None:
        """Says what has happened to a file, unless it has no name any more."""
        place = self._nodes.place_of(node)
        if place is not None:
            self._drafts.tell(place.draft, kind(place.path, stamp, *details))


def _in_order(file: OpenFile, hasher: BackgroundHasher | None) -> bool:
    """Whether all that was written through a handle came after what was there."""
    return not file.wrote or file.appends or (hasher is not None and hasher.in_order)


def _lock(node: DraftNode) -> threading.Lock:
    if node.lock is None:
        node.lock = threading.Lock()
    return node.lock


def _open(path: bytes, access: int) -> int:
    """Opens a file of the working directory even where the user's own mode bits would keep the daemon out."""
    flags = access | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags)
    except PermissionError:
        mode = os.lstat(path).st_mode & 0o7777
        os.chmod(path, mode | 0o600)
        try:
            return os.open(path, flags)
        finally:
            os.chmod(path, mode)


def _write_all(number: int, offset: int, data: bytes) -> None:
    written = os.pwrite(number, data, offset)
    while written < len(data):
        written += os.pwrite(number, memoryview(data)[written:], offset + written)


def _fill(number: int, reader: Reader, size: int) -> None:
    """Copies a blob's first `size` bytes into its stub; whole blocks of zeros stay holes."""
    for offset in range(0, size, BLOCK_SIZE):
        block = bytes(reader.read(offset, min(BLOCK_SIZE, size - offset)))
        if block.count(0) != len(block):
            _write_all(number, offset, block)
