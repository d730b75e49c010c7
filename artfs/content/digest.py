"""BLAKE3 digests of files (whole, per block and per piece) and of everything else that artfs names by its content.

A file of more than one block has for each block its digest, and the digest of the list of its pieces' digests. Blocks
are for whoever reads on and on, pieces for whoever reads here and there: 2 KiB of list and 64 KiB of file are enough to
verify a small read. BLAKE3 counts its chunks from the beginning of what it hashes, so that none of the three can be
made of another one: each is a pass over the bytes of its own.
"""

from __future__ import annotations

import errno
import functools
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NewType

from blake3 import blake3

Digest = NewType("Digest", bytes)
"""32 raw bytes of BLAKE3."""

DIGEST_SIZE = 32
BLOCK_SIZE = 4 * 2**20
"""A range read of a larger file is verified in blocks of this many bytes."""
PIECE_SIZE = 64 * 2**10
"""A small read of a larger file is verified in pieces of this many bytes."""
LIST_SIZE = BLOCK_SIZE // PIECE_SIZE * DIGEST_SIZE
"""Bytes of the list of a full block: the digests of its pieces, one after the other."""

_PART_SIZE = 2**20
"""So much of a file is read at a time, to hash it in all ways."""
_ALONE = 4 * BLOCK_SIZE
"""A file of at most so many bytes is worth no thread: to start it, and to share with it, takes as long as it saves."""

_PREFIX = "b3:"


@dataclass(frozen=True, slots=True)
class FileDigest:
    """What a file's content is.

    Args:
        digest: BLAKE3 of all bytes.
        size: number of bytes.
        blocks: the digests of its blocks of BLOCK_SIZE bytes, one after the other; None for a file of one block.
        pieces: for each block the digest of its list, one after the other; None for a file of one block, and where the
            lists are not known.
        lists: the lists themselves, one after the other (512 KiB for each GiB), while they are at hand.
    """

    digest: Digest
    size: int
    blocks: bytes | None = None
    pieces: bytes | None = field(default=None, compare=False)
    lists: bytes | None = field(default=None, compare=False, repr=False)

    def block(self, index: int) -> Digest:
        """Return the digest of the block that begins at byte `index * BLOCK_SIZE`."""
        if self.blocks is None:
            if index != 0:
                raise ValueError(f"a file of {self.size} bytes has one block, not {index + 1}")
            return self.digest
        found = self.blocks[index * DIGEST_SIZE : (index + 1) * DIGEST_SIZE]
        if index < 0 or len(found) != DIGEST_SIZE:
            raise ValueError(f"a file of {self.size} bytes has no block {index}")
        return Digest(found)


class Hasher:
    """Digests of bytes that come in order: the whole, every block and every piece, in one pass."""

    def __init__(self) -> None:
        self._blocks = _BlockHasher()
        self._lists = bytearray()
        self._piece: blake3 | None = None

    @property
    def size(self) -> int:
        """Bytes seen so far."""
        return self._blocks.size

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes."""
        view = memoryview(data).cast("B")
        while view:
            # The first piece apart: at its end the digest of the whole is its own.
            start = self.size
            part = view[: PIECE_SIZE - start] if start < PIECE_SIZE else view
            self._blocks.update(part)
            self._update_pieces(part, start)
            view = view[len(part) :]

    def copy(self) -> Hasher:
        """Return a hasher that goes on from here on its own."""
        other = Hasher()
        other._blocks = self._blocks.copy()
        other._lists = self._lists.copy()
        other._piece = self._piece.copy() if self._piece is not None else None
        return other

    def finish(self) -> FileDigest:
        """Return the digests of all bytes seen; the hasher can go on afterwards."""
        return self._blocks.finish(bytes(self._lists) + (self._piece.digest() if self._piece is not None else b""))

    def _update_pieces(self, part: memoryview, start: int) -> None:
        while part:
            room = PIECE_SIZE - start % PIECE_SIZE
            fills = len(part) >= room
            if start < PIECE_SIZE:
                if fills:
                    self._lists += self._blocks.whole.digest()
            elif self._piece is None and fills:
                self._lists += blake3(part[:room]).digest()
            else:
                if self._piece is None:
                    self._piece = blake3()
                self._piece.update(part[:room])
                if fills:
                    self._lists += self._piece.digest()
                    self._piece = None
            start += room
            part = part[room:]


class _BlockHasher:
    """Digests of bytes that come in order: the whole and every block."""

    def __init__(self) -> None:
        self.whole = blake3()
        self.size = 0
        self._blocks = bytearray()
        self._block: blake3 | None = None

    def update(self, view: memoryview) -> None:
        while view:
            room = BLOCK_SIZE - self.size % BLOCK_SIZE
            self._update_within_block(view[:room], fills=len(view) >= room)
            view = view[room:]

    def copy(self) -> _BlockHasher:
        other = _BlockHasher()
        other.whole = self.whole.copy()
        other.size = self.size
        other._blocks = self._blocks.copy()
        other._block = self._block.copy() if self._block is not None else None
        return other

    def finish(self, lists: bytes) -> FileDigest:
        """Return the digests of all bytes seen, of which these are the lists."""
        digest = Digest(self.whole.digest())
        if self.size <= BLOCK_SIZE:
            return FileDigest(digest, self.size)
        blocks = bytes(self._blocks) + (self._block.digest() if self._block is not None else b"")
        each = (lists[at : at + LIST_SIZE] for at in range(0, len(lists), LIST_SIZE))
        return FileDigest(digest, self.size, blocks, b"".join(map(list_digest, each)), lists)

    def _update_within_block(self, part: memoryview, *, fills: bool) -> None:
        start = self.size
        self.whole.update(part)
        self.size += len(part)
        if start < BLOCK_SIZE:
            # Up to here the digest of the whole is that of the first block: no second hashing.
            if fills:
                self._blocks += self.whole.digest()
        elif self._block is None and fills:
            self._blocks += blake3(part).digest()
        else:
            if self._block is None:
                self._block = blake3()
            self._block.update(part)
            if fills:
                self._blocks += self._block.digest()
                self._block = None


def format_digest(digest: bytes) -> str:
    """Return `b3:<64 hex digits>`."""
    return _PREFIX + digest.hex()


def parse_digest(text: str) -> Digest:
    """Return the digest that `format_digest` wrote; raises ValueError for anything else."""
    hexadecimal = text.removeprefix(_PREFIX)
    if not text.startswith(_PREFIX) or len(hexadecimal) != 2 * DIGEST_SIZE or not hexadecimal.isalnum():
        raise ValueError(f"not a digest: {text!r} (expected 'b3:' and 64 hexadecimal digits)")
    try:
        return Digest(bytes.fromhex(hexadecimal))
    except ValueError:
        raise ValueError(f"not a digest: {text!r} (expected 'b3:' and 64 hexadecimal digits)") from None


def hash_bytes(data: bytes | bytearray | memoryview) -> Digest:
    """Return the digest of some content that is at hand as a whole."""
    return Digest(blake3(data).digest())


def hash_all(parts: Iterable[bytes | bytearray | memoryview]) -> Digest:
    """Return the digest of some content that comes in parts, and nothing else of it."""
    whole = blake3()
    for part in parts:
        whole.update(part)
    return Digest(whole.digest())


def hash_pieces(block: bytes | bytearray | memoryview) -> bytes:
    """Return the list of a block: the digests of its pieces, one after the other."""
    view = memoryview(block)
    return b"".join([blake3(view[at : at + PIECE_SIZE]).digest() for at in range(0, len(view), PIECE_SIZE)])


def list_digest(pieces: bytes | bytearray) -> Digest:
    """Return the digest of a list."""
    return tagged(b"pieces", bytes(pieces))


def hash_file(
    file: int | str | bytes | os.PathLike[str],
    cancelled: Callable[[], bool] | None = None,
    advance: Callable[[int], None] = lambda done: None,
) -> FileDigest:
    """Return the digests of a file.

    Args:
        file: a path, or a file descriptor open for reading (its position may change).
        cancelled: asked before each block; when it answers true the work ends with InterruptedError.
        advance: called with the number of bytes hashed since the last call.
    """
    if isinstance(file, int):
        return _hash_descriptor(file, cancelled, advance)
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _hash_descriptor(descriptor, cancelled, advance)
    finally:
        os.close(descriptor)


def tagged(domain: bytes, *parts: bytes) -> Digest:
    """Return the digest of `parts` under a domain, for everything that is not the content of a file.

    BLAKE3's key derivation mode keeps domains apart from each other and from file contents; the lengths before the
    parts keep ("ab", "c") apart from ("a", "bc").
    """
    hasher = blake3(derive_key_context=f"artfs 2026 {domain.decode('ascii')}")
    hasher.update(b"".join(piece for part in parts for piece in (len(part).to_bytes(8, "little"), part)))
    return Digest(hasher.digest())


def _hash_descriptor(
    descriptor: int, cancelled: Callable[[], bool] | None, advance: Callable[[int], None]
) -> FileDigest:
    size = os.fstat(descriptor).st_size
    if size <= BLOCK_SIZE:
        # One byte more than expected shows at once that all was read.
        data = os.pread(descriptor, size + 1, 0)
        if len(data) == size:
            advance(size)
            return FileDigest(hash_bytes(data), size)
    if size <= _ALONE:
        return _hash_parts(descriptor, size, None, cancelled or (lambda: False), advance)
    with ThreadPoolExecutor(1, "hash") as helper:
        return _hash_parts(descriptor, size, helper, cancelled or (lambda: False), advance)


def _hash_parts(
    descriptor: int,
    size: int,
    helper: ThreadPoolExecutor | None,
    cancelled: Callable[[], bool],
    advance: Callable[[int], None],
) -> FileDigest:
    """Hash the whole and its blocks here, and the pieces in a thread, as far as that keeps up; the rest of them here.

    So nobody waits for a thread that gets no processor.
    """
    hasher, hole_end = _BlockHasher(), 0
    # The thread is at one of them, and another one waits for it.
    buffers = _buffers(1 if helper is None else 3)
    lists: list[_List] = []
    given: _List | None = None
    while True:
        done = hasher.size
        if done % BLOCK_SIZE == 0:
            if cancelled():
                raise InterruptedError("hashing was cancelled")
            if done >= hole_end:
                hole_end = _hole_end(descriptor, done, size)
            if done + BLOCK_SIZE <= hole_end:
                hasher.update(memoryview(_ZEROS))
                lists.append(_list_of_zeros())
                advance(BLOCK_SIZE)
                continue
        buffer = next(each for each in buffers if each.is_free)
        part = _filled(buffer.view, descriptor, done)
        own = buffer.user = _List(part)
        lists.append(own)
        # One that waits for the thread is enough: who gives it more has to wait for it.
        if helper is not None and (given is None or given.is_begun) and _is_taken(helper, own):
            given = own
        hasher.update(part)
        if own is not given:
            own.make()
        advance(len(part))
        if len(part) < _PART_SIZE:
            return hasher.finish(b"".join([each.make() for each in lists]))


class _List:
    """The list of a part of a file: made once, by whoever comes first."""

    def __init__(self, part: bytes | memoryview) -> None:
        self._lock = threading.Lock()
        self._part = part
        self._made: bytes | None = None

    @property
    def is_begun(self) -> bool:
        return self._lock.locked() or self.is_made

    @property
    def is_made(self) -> bool:
        return self._made is not None

    def make(self) -> bytes:
        with self._lock:
            if self._made is None:
                self._made = hash_pieces(self._part)
            return self._made


@functools.cache
def _list_of_zeros() -> _List:
    zeros = _List(_ZEROS)
    zeros.make()
    return zeros


def _is_taken(helper: ThreadPoolExecutor, wanted: _List) -> bool:
    try:
        helper.submit(wanted.make)
    except RuntimeError:  # no thread can be started just now
        return False
    return True


class _Buffer:
    """Room for a part of a file, and the list that is made of what is in it."""

    def __init__(self, view: memoryview) -> None:
        self.view = view
        self.user: _List | None = None

    @property
    def is_free(self) -> bool:
        return self.user is None or self.user.is_made


def _buffers(count: int) -> list[_Buffer]:
    # All in one: of several the allocator gives each back to the system, and the next file waits for their pages again.
    room = memoryview(bytearray(count * _PART_SIZE))
    return [_Buffer(room[at : at + _PART_SIZE]) for at in range(0, len(room), _PART_SIZE)]


def _filled(buffer: memoryview, descriptor: int, position: int) -> memoryview:
    """The bytes at a position, as many as the buffer takes; fewer only at the end."""
    count = 0
    while count < len(buffer) and (more := os.preadv(descriptor, [buffer[count:]], position + count)):
        count += more
    return buffer[:count]


_ZEROS = bytes(BLOCK_SIZE)
"""A block of a hole: it need not be read, which would fill the page cache with zeros."""


def _hole_end(descriptor: int, position: int, size: int) -> int:
    """Where the next data after `position` begins; `position` itself where holes cannot be told."""
    try:
        return os.lseek(descriptor, position, os.SEEK_DATA)
    except OSError as error:
        # ENXIO: nothing but a hole up to the end.
        return size if error.errno == errno.ENXIO and position < size else position
