"""The bytes of files in `/incoming`: open, read, write, truncate, sync, close.

`open`, `close` and `truncate` run on the event loop's thread. `read`, `write` and `sync` may run on worker threads; a
node's lock puts them in order where order matters (turning a stub back into a file, hashing what is written).

A file that is open has one descriptor, shared by all its handles: a file that holds its own bytes is read and written
through it. A stub is read from its blob; the first write copies the blob's bytes into it, and from then on it is a file
again.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from typing import Protocol

from artfs.content.digest import BLOCK_SIZE, Digest
from artfs.content.long_paths import reachable
from artfs_mount.incoming import stubs
from artfs_mount.incoming.drafts import Draft, Drafts
from artfs_mount.incoming.hashing import BackgroundHasher
from artfs_mount.incoming.nodes import Descriptor, Node, Nodes

HASHING_THREADS = 2


class Reader(Protocol):
    """Verified access to a blob."""

    def read(self, offset: int, size: int) -> bytes | memoryview: ...

    def close(self) -> None: ...


class Contents:
    """File content of the working directory. `reader` opens a blob for verified reading."""

    def __init__(self, nodes: Nodes, drafts: Drafts, reader: Callable[[Digest], Reader]) -> None:
        self._nodes = nodes
        self._drafts = drafts
        self._reader = reader
        self._hashing = ThreadPoolExecutor(HASHING_THREADS, "hash")

    def open(self, node: Node, flags: int, pid: int) -> Reader | None:
        """Opens a handle; returns a reader when the node is a stub that is only read. O_TRUNC is left to the caller."""
        if flags & os.O_ACCMODE == os.O_RDONLY:
            reader = self._reader(node.blob) if node.blob is not None else None
            node.opens += 1
            with self._closed_on_failure(node, reader):
                self._descriptor(node, writable=False)
            return reader
        self._touch(node, pid)
        self._start_writing(node)
        return None

    def opened(self, node: Node, number: int) -> None:
        """Takes the descriptor with which a new file was made as its first handle, open for writing."""
        if node.descriptor is None or not node.descriptor.writable:
            node.descriptor = Descriptor(number, writable=True)
        else:
            os.close(number)
        self._start_writing(node)

    def read(self, node: Node, reader: Reader | None, offset: int, size: int) -> bytes | memoryview:
        """Bytes of a file. `reader`: the handle's own, None when the file became a stub after it was opened."""
        descriptor = self._descriptor(node, writable=False)  # the name keeps it open while this thread reads
        blob = node.blob  # asked after the descriptor was got, which may be the one of a stub
        if blob is None:
            return os.pread(descriptor.number, size, offset)
        if reader is not None:
            return reader.read(offset, size)
        with closing(self._reader(blob)) as passing:
            return passing.read(offset, size)

    def became_stub(self, node: Node, digest: Digest) -> None:
        """Lets a node mean the stub that has taken its file's place; whoever has it open goes on with the blob."""
        node.blob = digest
        node.descriptor = None
        if node.opens:
            self._descriptor(node, writable=False)

    def read_at_once(self, node: Node, offset: int, size: int) -> bytes | memoryview | None:
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

    def write(self, node: Node, offset: int, data: bytes) -> int:
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

    def truncate(self, node: Node, size: int, pid: int) -> None:
        """Sets a file's size."""
        self._touch(node, pid)
        borrowed = node.descriptor is None
        descriptor = self._descriptor(node, writable=True)
        try:
            self._truncate(node, descriptor, size)
        finally:
            if borrowed and node.opens == 0:
                node.descriptor = None

    def truncate_open(self, node: Node, size: int) -> None:
        """Sets the size of a file that is open for writing, which may have to get its bytes back first."""
        self._truncate(node, self._descriptor(node, writable=True), size)

    def sync(self, node: Node, *, data_only: bool) -> None:
        """Puts a file's bytes on stable storage."""
        descriptor = node.descriptor
        if descriptor is None:
            return
        (os.fdatasync if data_only else os.fsync)(descriptor.number)

    def close(self, node: Node, *, writer: bool, reader: Reader | None) -> None:
        """Closes a handle; the last one that wrote settles whether the file is whole and what its digest is."""
        node.opens -= 1
        try:
            if reader is not None:
                reader.close()
            if writer:
                node.writers -= 1
                if node.writers == 0:
                    self._stop_writing(node)
        finally:
            self._let_go_if_unused(node)

    def _start_writing(self, node: Node) -> None:
        try:
            descriptor = self._descriptor(node, writable=True)
            if node.writers == 0:
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
        self._nodes.writing.add(node)

    def _stop_writing(self, node: Node) -> None:
        assert node.descriptor is not None, "a handle was open until now"
        self._nodes.writing.discard(node)
        number = node.descriptor.number
        if node.failure is None:
            stubs.clear(number, stubs.UNFINISHED)
        else:
            with suppress(OSError):  # then the mark says "open" for ever, which holds the draft just as well
                stubs.mark_unfinished(number, node.failure.encode())
        digest = node.hasher.result(os.fstat(number).st_size) if node.hasher is not None else None
        node.hasher = None
        draft = self._touch(node)
        if draft is not None and digest is not None:
            self._drafts.digests[node.backing] = digest

    def _let_go_if_unused(self, node: Node) -> None:
        if node.opens == 0:
            node.descriptor = None
        self._nodes.release_if_unused(node)

    @contextmanager
    def _closed_on_failure(self, node: Node, reader: Reader | None) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.close(node, writer=False, reader=reader)
            raise

    def _truncate(self, node: Node, descriptor: Descriptor, size: int) -> None:
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

    def _own(self, node: Node, number: int, keep: int | None) -> None:
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

    def _descriptor(self, node: Node, *, writable: bool) -> Descriptor:
        current = node.descriptor
        if current is not None and (current.writable or not writable):
            return current
        with reachable(self._nodes.path(node)) as path:
            descriptor = Descriptor(_open(path, os.O_RDWR if writable else os.O_RDONLY), writable=writable)
        node.descriptor = descriptor
        return descriptor

    def _touch(self, node: Node, pid: int | None = None) -> Draft | None:
        name = self._nodes.draft_of(node)
        return self._drafts.touch(name, pid) if name is not None else None


def _lock(node: Node) -> threading.Lock:
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
