"""Reading blobs such that every byte that is returned was checked.

A blob of at most one block (4 MiB) is read and hashed as a whole at the first read. A larger one is read block by
block, each hashed against its own digest, so that a range costs the blocks it touches and no more. Verified blocks stay
in a `BlockCache`, of a bounded size and shared by all readers that are given the same one: a caller that comes with
requests of 128 KiB costs one read and one hash for 32 of them. `prefetch` fills in the next block from another thread.

A blob may lie in several places. When one cannot be read or has other bytes, the next is tried; only when none is left
does the reader fail. Data that was registered in place without a digest has only its size and mtime (or ETag) to be
checked by, and they are checked at opening and after each read.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from artfs.content.digest import BLOCK_SIZE, FileDigest, format_digest, hash_bytes
from artfs.errors import DigestMismatch, InvalidValue, PlaceChanged, ReaderClosed, StoreError
from artfs.stores.base import PlaceReader

_SMALLEST_COST = 512
"""What a cached block counts at least, so that the number of small ones is bounded too."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place where a blob should be.

    Args:
        open: opens it for reading.
        shown: how to name it to people.
        owned: artfs wrote it; otherwise it was registered in place, and others may change it.
        mtime_ns, etag: what they were at registration, where the store could tell.
    """

    open: Callable[[], PlaceReader]
    shown: str
    owned: bool = True
    mtime_ns: int | None = None
    etag: str | None = None


class BlockCache:
    """The blocks that were verified last, up to a number of bytes in all. Many threads may use it.

    Args:
        limit_bytes: what it may hold.
    """

    def __init__(self, limit_bytes: int = 2 * BLOCK_SIZE) -> None:
        self._limit = limit_bytes
        self._used = 0
        self._blocks: OrderedDict[bytes, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, digest: bytes) -> bytes | None:
        """Return the block of that digest if it is here."""
        with self._lock:
            block = self._blocks.get(digest)
            if block is not None:
                self._blocks.move_to_end(digest)
            return block

    def put(self, digest: bytes, block: bytes) -> None:
        """Keep a verified block, in place of those not used for longest."""
        cost = max(len(block), _SMALLEST_COST)
        if cost > self._limit:
            return
        with self._lock:
            if digest in self._blocks:
                return
            self._blocks[digest] = block
            self._used += cost
            while self._used > self._limit:
                _, old = self._blocks.popitem(last=False)
                self._used -= max(len(old), _SMALLEST_COST)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._blocks.clear()
            self._used = 0


class BlobReader:
    """An open blob. Many threads may read at once.

    Args:
        file: what the content must be (for an identity blob only its size counts).
        candidates: where it may be read from, best first.
        cache: keeps verified blocks; one shared by all readers bounds the memory of all.
        has_digest: False for data registered in place whose digest is not known.
        on_failure: told about every place that failed, also when another place had the bytes.
    """

    def __init__(
        self,
        file: FileDigest,
        candidates: Sequence[Candidate],
        *,
        cache: BlockCache | None = None,
        has_digest: bool = True,
        on_failure: Callable[[Candidate, OSError], None] | None = None,
    ) -> None:
        if has_digest and file.size > BLOCK_SIZE and file.blocks is None:
            raise InvalidValue(f"blob {format_digest(file.digest)} has no block digests", subject=file.digest)
        self.file = file
        self._candidates = list(candidates)
        self._cache = cache if cache is not None else BlockCache()
        self._has_digest = has_digest
        self._on_failure = on_failure
        self._lock = threading.Lock()
        self._loading: dict[int, threading.Lock] = {}
        self._stamps: dict[int, object | None] = {}
        self._open: _OpenPlace | None = None
        self._closed = False

    @property
    def size(self) -> int:
        """Bytes of the blob."""
        return self.file.size

    def read(self, offset: int, size: int) -> bytes | memoryview:
        """Return `size` bytes from byte `offset`, fewer only at the end.

        Raises:
            DigestMismatch: no place has the right bytes.
            PlaceChanged: data registered in place was changed.
            OSError: no place could be read.
            ReaderClosed: the reader has been closed.
        """
        size = min(size, self.file.size - offset)
        if size <= 0:
            return b""
        if not self._has_digest:
            return self._from_places(lambda reader: reader.pread(offset, size), size)
        first, last = offset // BLOCK_SIZE, (offset + size - 1) // BLOCK_SIZE
        start = offset - first * BLOCK_SIZE
        if first == last:
            return self._unchanged(first, offset, size) or _part(self._block(first), start, size)
        pieces = [memoryview(self._block(first))[start:]]
        pieces += [memoryview(self._block(index)) for index in range(first + 1, last)]
        pieces.append(memoryview(self._block(last))[: offset + size - last * BLOCK_SIZE])
        return b"".join(pieces)

    def peek(self, offset: int, size: int) -> bytes | memoryview | None:
        """Return what `read` would if it needs no reading or hashing, else None: for callers that must not wait."""
        size = min(size, self.file.size - offset)
        if size <= 0:
            return b""
        index = offset // BLOCK_SIZE
        if not self._has_digest or (offset + size - 1) // BLOCK_SIZE != index:
            return None
        block = self._cache.get(self.file.block(index))
        return None if block is None else _part(block, offset - index * BLOCK_SIZE, size)

    def prefetch(self, offset: int) -> bool:
        """Read and verify the block after the one that holds byte `offset`; answer whether there was anything to do.

        A failure is not raised here: the read that needs the block meets it again, and a reader that was closed
        meanwhile needs none.
        """
        index = offset // BLOCK_SIZE + 1
        if not self._has_digest or index * BLOCK_SIZE >= self.file.size or self._cache.get(self.file.block(index)):
            return False
        try:
            self._block(index)
        except (OSError, ReaderClosed):
            return False
        return True

    def close(self) -> None:
        """Give back what the reader holds; a read that is under way in another thread still completes."""
        with self._lock:
            self._closed = True
            self._detach()

    def __enter__(self) -> BlobReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _block(self, index: int) -> bytes:
        digest = self.file.block(index)
        block = self._cache.get(digest)
        if block is not None:
            return block
        with self._lock:
            loading = self._loading.setdefault(index, threading.Lock())
        with loading:
            try:
                # Another thread may have loaded it while this one waited.
                block = self._cache.get(digest)
                if block is None:
                    start = index * BLOCK_SIZE
                    size = min(BLOCK_SIZE, self.file.size - start)
                    stamps: list[object | None] = []

                    def read(reader: PlaceReader) -> bytes:
                        stamps[:] = [reader.stamp]  # taken before: a change while it is read makes it old
                        return reader.pread(start, size)

                    block = self._from_places(read, size, digest, index)
                    self._cache.put(digest, block)
                    self._stamps[index] = stamps[0]
                return block
            finally:
                with self._lock:
                    self._loading.pop(index, None)

    def _unchanged(self, index: int, offset: int, size: int) -> bytes | None:
        """A part of a block that was verified before, if its file is certain not to have changed since.

        Random reads come back to blocks that no cache holds any more; without this each would hash 4 MiB again. Data
        in place is hashed again: its owner may change it through a mapping, which changes no times.
        """
        stamp = self._stamps.get(index)
        if stamp is None or self.file.blocks is None or self._cache.get(self.file.block(index)) is not None:
            return None
        try:
            place = self._acquire()
        except OSError:
            return None  # the full way says what is wrong
        try:
            if not place.candidate.owned:
                return None
            data = place.reader.pread(offset, size)
            return data if len(data) == size and place.reader.stamp == stamp else None
        finally:
            self._release(place)

    def _from_places(
        self, read: Callable[[PlaceReader], bytes], size: int, digest: bytes | None = None, index: int = 0
    ) -> bytes:
        """Return what `read` gets from the first place whose bytes are right, beginning with the one in use."""
        failures: list[OSError] = []
        for _ in self._candidates:
            candidate = self._candidates[0]
            try:
                place = self._acquire()
                candidate = place.candidate
                try:
                    data = read(place.reader)
                    self._check(place, data, size, digest, index)
                finally:
                    self._release(place)
                return data
            except OSError as error:
                failures.append(error)
                if self._on_failure is not None:
                    self._on_failure(candidate, error)
                self._give_up(candidate)
        raise _most_telling(failures, self.file)

    def _check(self, place: _OpenPlace, data: bytes, size: int, digest: bytes | None, index: int) -> None:
        candidate = place.candidate
        if digest is None:
            _check_identity(candidate, place.reader, self.file.size)
            if len(data) != size:
                raise _changed(candidate, f"it ends before byte {self.file.size}")
            return
        found = hash_bytes(data)
        if found == digest:
            return
        if not candidate.owned:
            raise _changed(candidate, "its content is no longer what was registered")
        what = f"block {index} of it" if self.file.blocks is not None else "it"
        raise DigestMismatch(
            f"'{candidate.shown}' is damaged: {what} should be {format_digest(digest)} with {size} bytes, "
            f"but is {format_digest(found)} with {len(data)}; run 'artfs verify' to see what else is",
            subject=candidate.shown,
        )

    def _acquire(self) -> _OpenPlace:
        """The open place, which stays open until `_release`."""
        with self._lock:
            if self._closed:
                # No OSError: no place failed.
                raise ReaderClosed(f"the reader of {format_digest(self.file.digest)} is closed; open another one")
            place = self._open
            if place is None:
                candidate = self._candidates[0]
                place = _OpenPlace(candidate, candidate.open())
                try:
                    if not self._has_digest:
                        _check_identity(candidate, place.reader, self.file.size)
                except OSError:
                    place.reader.close()
                    raise
                self._open = place
            place.users += 1
            return place

    def _release(self, place: _OpenPlace) -> None:
        with self._lock:
            place.users -= 1
            # A blob of one block is read only once: do not hold its place open.
            if place is self._open and self._has_digest and self.file.blocks is None:
                self._detach()
            elif place is not self._open and place.users == 0:
                place.reader.close()

    def _give_up(self, candidate: Candidate) -> None:
        """Try this place last from now on."""
        with self._lock:
            if self._candidates[0] is candidate:
                self._candidates = [*self._candidates[1:], candidate]
                self._detach()

    def _detach(self) -> None:
        """Let go of the open place; its last user closes it. Called with the lock held."""
        place, self._open = self._open, None
        if place is not None and place.users == 0:
            place.reader.close()


class _OpenPlace:
    """A place that is open, and how many reads are under way in it."""

    __slots__ = ("candidate", "reader", "users")

    def __init__(self, candidate: Candidate, reader: PlaceReader) -> None:
        self.candidate = candidate
        self.reader = reader
        self.users = 0


def _part(block: bytes, start: int, size: int) -> bytes | memoryview:
    return block if start == 0 and size == len(block) else memoryview(block)[start : start + size]


def _check_identity(candidate: Candidate, reader: PlaceReader, size: int) -> None:
    if reader.size != size:
        raise _changed(candidate, f"it had {size} bytes and now has {reader.size}")
    if candidate.mtime_ns is not None and reader.mtime_ns != candidate.mtime_ns:
        raise _changed(candidate, "it was modified after it was registered")
    if candidate.etag is not None and reader.etag != candidate.etag:
        raise _changed(candidate, f"its ETag was {candidate.etag} and now is {reader.etag}")


def _changed(candidate: Candidate, why: str) -> PlaceChanged:
    advice = "restore it, or register it again as a new version"
    return PlaceChanged(f"'{candidate.shown}' was changed: {why}; {advice}", subject=candidate.shown)


def _most_telling(failures: list[OSError], file: FileDigest) -> OSError:
    """Of several failures the one that says that bytes are wrong, else the first."""
    if not failures:
        digest = format_digest(file.digest)
        return StoreError(f"the bytes of {digest} lie in no store; run 'artfs verify' to see what else is missing")
    wrong = [error for error in failures if isinstance(error, DigestMismatch | PlaceChanged)]
    return (wrong or failures)[0]
