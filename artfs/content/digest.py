"""BLAKE3 digests of files (whole and per block) and of everything else that artfs names by its content."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import NewType

from blake3 import blake3

Digest = NewType("Digest", bytes)
"""32 raw bytes of BLAKE3."""

DIGEST_SIZE = 32
BLOCK_SIZE = 4 * 2**20
"""A range read of a larger file is verified in blocks of this many bytes."""

_PREFIX = "b3:"


@dataclass(frozen=True, slots=True)
class FileDigest:
    """What a file's content is.

    Args:
        digest: BLAKE3 of all bytes.
        size: number of bytes.
        blocks: the digests of its blocks of BLOCK_SIZE bytes, one after the other; None for a file of one block.
    """

    digest: Digest
    size: int
    blocks: bytes | None = None

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
    """Digests of bytes that come in order: the whole and every block, in one pass."""

    def __init__(self) -> None:
        self._whole = blake3()
        self._size = 0
        self._blocks = bytearray()
        self._block: blake3 | None = None

    @property
    def size(self) -> int:
        """Bytes seen so far."""
        return self._size

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes."""
        view = memoryview(data).cast("B")
        while view:
            room = BLOCK_SIZE - self._size % BLOCK_SIZE
            self._update_within_block(view[:room], fills=len(view) >= room)
            view = view[room:]

    def copy(self) -> Hasher:
        """Return a hasher that goes on from here on its own."""
        other = Hasher()
        other._whole = self._whole.copy()
        other._size = self._size
        other._blocks = self._blocks.copy()
        other._block = self._block.copy() if self._block is not None else None
        return other

    def finish(self) -> FileDigest:
        """Return the digests of all bytes seen; the hasher can go on afterwards."""
        digest = Digest(self._whole.digest())
        if self._size <= BLOCK_SIZE:
            return FileDigest(digest, self._size)
        last = self._block.digest() if self._block is not None else b""
        return FileDigest(digest, self._size, bytes(self._blocks) + last)

    def _update_within_block(self, part: memoryview, *, fills: bool) -> None:
        in_first_block = self._size < BLOCK_SIZE
        self._whole.update(part)
        self._size += len(part)
        if in_first_block:
            # Up to here the digest of the whole is that of the first block: no second hashing.
            if fills:
                self._blocks += self._whole.digest()
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
    hasher = Hasher()
    buffer = memoryview(bytearray(BLOCK_SIZE))
    hole_end = 0
    while True:
        if cancelled is not None and cancelled():
            raise InterruptedError("hashing was cancelled")
        position = hasher.size
        if position >= hole_end:
            hole_end = _hole_end(descriptor, position, size)
        if position + BLOCK_SIZE <= hole_end:
            hasher.update(_ZEROS)
            advance(BLOCK_SIZE)
            continue
        count = os.preadv(descriptor, [buffer], position)
        if count == 0:
            return hasher.finish()
        hasher.update(buffer[:count])
        advance(count)


_ZEROS = bytes(BLOCK_SIZE)
"""A block of a hole: it need not be read, which would fill the page cache with zeros."""


def _hole_end(descriptor: int, position: int, size: int) -> int:
    """Where the next data after `position` begins; `position` itself where holes cannot be told."""
    try:
        return os.lseek(descriptor, position, os.SEEK_DATA)
    except OSError as error:
        # ENXIO: nothing but a hole up to the end.
        return size if error.errno == errno.ENXIO and position < size else position
