"""Reading blobs such that every byte that is returned was checked.

A blob of at most one block (4 MiB) is read and hashed as a whole at the first read. A larger one is read block by
block, each hashed against its own digest; a small read of it piece by piece (64 KiB), each hashed against its digest in
the list of its block, which is hashed against its own. So a range costs the blocks or pieces that it touches and no
more. What was verified stays in a `Memory`, of a bounded size and shared by all readers that are given the same one: a
caller that comes with requests of 128 KiB costs one read and one hash for 32 of them. `prefetch` fills in a block from
another thread.

A blob may lie in several places. When one cannot be read or has other bytes, the next is tried; only when none is left
does the reader fail. Data that was registered in place without a digest has only its size and mtime (or ETag) to be
checked by, and they are checked at opening and after each read.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence

from artfs.blobs import sources
from artfs.blobs.disk import DiskCache
from artfs.blobs.memory import Memory
from artfs.blobs.places import Candidate, Failure
from artfs.blobs.sources import Sources
from artfs.content.digest import (
    BLOCK_SIZE,
    DIGEST_SIZE,
    LIST_SIZE,
    PIECE_SIZE,
    Digest,
    FileDigest,
    format_digest,
    hash_bytes,
    list_digest,
)
from artfs.errors import DigestMismatch, InvalidValue, ReaderClosed
from artfs.stores.base import PlaceReader

SMALL = 128 * 1024
"""So much is hashed in the time that it takes to hand it to a thread."""
MOST_BY_PIECES = BLOCK_SIZE // 2
"""More of a block than this is read as the block."""


class BlobReader:
    """An open blob. Many threads may read at once.

    Args:
        file: what the content must be (for an identity blob only its size counts).
        candidates: where it may be read from, best first.
        memory: keeps what was verified; one shared by all readers bounds the memory of all.
        disk: keeps what was read from places that are not on this machine.
        has_digest: False for data registered in place whose digest is not known.
        on_failure: told about the places that failed in a read, and whether another one had the bytes.
    """

    def __init__(
        self,
        file: FileDigest,
        candidates: Sequence[Candidate],
        *,
        memory: Memory | None = None,
        disk: DiskCache | None = None,
        has_digest: bool = True,
        on_failure: Callable[[Sequence[Failure], bool], None] | None = None,
    ) -> None:
        if has_digest and file.size > BLOCK_SIZE and file.blocks is None:
            raise InvalidValue(f"blob {format_digest(file.digest)} has no block digests", subject=file.digest)
        self.file = file
        self.memory = memory if memory is not None else Memory()
        self._disk = disk
        self._has_digest = has_digest
        # A blob of one block is read only once: do not hold its place open.
        keep_open = file.blocks is not None or not has_digest
        self._sources = Sources(file, candidates, has_digest=has_digest, keep_open=keep_open, on_failure=on_failure)
        self._stamps: dict[int, object | None] = {}
        self._has_lists = file.pieces is not None and any(each.open_lists is not None for each in candidates)
        self._without_list: set[int] = set()

    @property
    def size(self) -> int:
        """Bytes of the blob."""
        return self.file.size

    def read(self, offset: int, size: int, *, by_blocks: bool = False) -> bytes | memoryview:
        """Return `size` bytes from byte `offset`, fewer only at the end.

        Args:
            offset, size: which bytes.
            by_blocks: whole blocks are worth reading, as the rest of them will be asked for too.

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
            return self._sources.read(functools.partial(_pread, offset, size), sources.identity(self.file.size, size))
        end = offset + size
        parts = []
        while offset < end:
            index = offset // BLOCK_SIZE
            stop = min(end, (index + 1) * BLOCK_SIZE)
            parts.append(self._part(index, offset - index * BLOCK_SIZE, stop - offset, by_blocks=by_blocks))
            offset = stop
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def peek(self, offset: int, size: int, *, is_near: bool = False) -> bytes | memoryview | None:
        """Return what `read` would if all of it is in memory, this process's or the kernel's, else None.

        For callers that must not wait for a disk or a network.

        Args:
            offset, size: which bytes.
            is_near: a file may be opened to look into the kernel's memory: it is on a file system that answers.
        """
        size = min(size, self.file.size - offset)
        if size <= 0:
            return b""
        index = offset // BLOCK_SIZE
        if not self._has_digest or (offset + size - 1) // BLOCK_SIZE != index:
            return None
        start = offset - index * BLOCK_SIZE
        block = self.memory.get(self.file.block(index)) or (self._small_at_once() if is_near else None)
        return _cut(block, start, size) if block is not None else self._peek_pieces(index, start, size)

    def prefetch(self, index: int) -> bool:
        """Read and verify a block, so that it is in memory; answer whether there was anything to do.

        A failure is not raised here: the read that needs the block meets it again, and a reader that was closed
        meanwhile needs none.
        """
        if not self._has_digest or index * BLOCK_SIZE >= self.file.size or self.memory.get(self.file.block(index)):
            return False
        try:
            self._block(index)
        except (OSError, ReaderClosed):
            return False
        return True

    def close(self) -> None:
        """Give back what the reader holds; a read that is under way in another thread still completes."""
        self._sources.close()

    def __enter__(self) -> BlobReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _part(self, index: int, start: int, size: int, *, by_blocks: bool) -> bytes | memoryview:
        """A part of one block, as cheaply as it can be had."""
        block = self.memory.get(self.file.block(index))
        if block is not None:
            return _cut(block, start, size)
        if (unchanged := self._unchanged(index, index * BLOCK_SIZE + start, size)) is not None:
            return unchanged
        if size <= MOST_BY_PIECES and not by_blocks and (listed := self._list(index)) is not None:
            return self._pieces(index, start, size, listed)
        return _cut(self._block(index), start, size)

    def _small_at_once(self) -> bytes | None:
        """All of a small blob, verified, if the kernel has its file in memory: a thread would take longer."""
        if self.file.size > SMALL:
            return None
        data = self._sources.read_at_once(self.file.size)
        if data is None or hash_bytes(data) != self.file.digest:
            return None
        self.memory.put(self.file.digest, data)
        return data

    # Blocks

    def _block(self, index: int) -> bytes:
        unit = self.file.block(index)
        found = self.memory.obtain(self.file.digest, [unit], lambda _: [self._load_block(index, unit)])
        return found[unit]

    def _load_block(self, index: int, unit: Digest) -> bytes:
        start = index * BLOCK_SIZE
        size = min(BLOCK_SIZE, self.file.size - start)
        if (kept := self._kept(start, size, unit)) is not None:
            return kept
        stamps: list[object | None] = []

        def read(reader: PlaceReader) -> bytes:
            stamps[:] = [reader.stamp]  # taken before: a change while it is read makes it old
            return reader.pread(start, size)

        what = f"block {index} of it" if self.file.blocks is not None else "it"
        block = self._sources.read(read, sources.digests([unit], size, what))
        self._stamps[index] = stamps[0]
        self._keep(start, block)
        return block

    def _unchanged(self, index: int, offset: int, size: int) -> bytes | None:
        """A part of a block that was verified before, if its file is certain not to have changed since.

        Random reads come back to blocks that are in memory no more; without this each would hash 4 MiB again where
        there are no lists. Data in place is hashed again: its owner may change it through a mapping, which changes no
        times.
        """
        stamp = self._stamps.get(index)
        if stamp is None or self.file.blocks is None:
            return None
        try:
            with self._sources.opened() as place:
                if not place.candidate.owned:
                    return None
                data = place.reader.pread(offset, size)
                return data if len(data) == size and place.reader.stamp == stamp else None
        except OSError:
            return None  # the full way says what is wrong

    # Pieces

    def _pieces(self, index: int, start: int, size: int, listed: bytes) -> bytes | memoryview:
        """A part of a block, of which only the pieces are read that it touches."""
        first, units = _units(listed, start, size)
        numbers = dict(zip(units, range(first, first + len(units)), strict=True))

        def load(wanted: list[Digest]) -> list[bytes]:
            loaded = self._load_pieces(index, {numbers[unit]: unit for unit in wanted})
            return [loaded[numbers[unit]] for unit in wanted]

        return _joined(units, self.memory.obtain(self.file.digest, units, load), start, size)

    def _peek_pieces(self, index: int, start: int, size: int) -> bytes | memoryview | None:
        if not self._has_lists or (listed := self.memory.get(self._list_unit(index))) is None:
            return None
        _, units = _units(listed, start, size)
        found: dict[Digest, bytes] = {}
        for unit in units:
            if (piece := self.memory.get(unit)) is None:
                return None
            found[unit] = piece
        return _joined(units, found, start, size)

    def _load_pieces(self, index: int, wanted: dict[int, Digest]) -> dict[int, bytes]:
        """Pieces of a block by their numbers in it; those that lie one after the other are one read."""
        loaded: dict[int, bytes] = {}
        for number, unit in wanted.items():
            if (kept := self._kept(*self._span(index, number, number + 1), unit)) is not None:
                loaded[number] = kept
        for first, stop in _runs(sorted(wanted.keys() - loaded.keys())):
            start, size = self._span(index, first, stop)
            units = [wanted[number] for number in range(first, stop)]
            check = sources.digests(units, size, f"a piece of block {index} of it")
            data = self._sources.read(functools.partial(_pread, start, size), check)
            self._keep(start, data)
            for number in range(first, stop):
                at = (number - first) * PIECE_SIZE
                loaded[number] = data[at : at + PIECE_SIZE]
        return loaded

    def _span(self, index: int, first: int, stop: int) -> tuple[int, int]:
        """Where the pieces of a block from `first` to before `stop` begin in the blob, and their bytes."""
        start = index * BLOCK_SIZE + first * PIECE_SIZE
        return start, min((stop - first) * PIECE_SIZE, self.file.size - start)

    # Lists

    def _list(self, index: int) -> bytes | None:
        """The list of a block, if there is a right one."""
        if not self._has_lists or index in self._without_list:
            return None
        unit = self._list_unit(index)
        try:
            return self.memory.obtain(self.file.digest, [unit], lambda _: [self._load_list(index, unit)])[unit]
        except _NoList:
            return None

    def _list_unit(self, index: int) -> Digest:
        assert self.file.pieces is not None, "asked only where there are lists"
        return Digest(self.file.pieces[index * DIGEST_SIZE : (index + 1) * DIGEST_SIZE])

    def _load_list(self, index: int, unit: Digest) -> bytes:
        pieces = -(-min(BLOCK_SIZE, self.file.size - index * BLOCK_SIZE) // PIECE_SIZE)
        size = pieces * DIGEST_SIZE
        disk = self._disk
        if disk is not None and not self._sources.are_local:
            kept = disk.get(unit, size, 0, size, lambda data: list_digest(data) == unit)
            if kept is not None:
                return kept
        wrong: list[Failure] = []
        missing = 0
        candidates = [each for each in self._sources.candidates if each.open_lists is not None]
        for candidate in candidates:
            assert candidate.open_lists is not None
            try:
                with candidate.open_lists() as reader:
                    listed = reader.pread(index * LIST_SIZE, size)
            except FileNotFoundError:
                missing += 1
                continue
            except OSError:
                continue  # the place itself will say what is wrong with it
            if list_digest(listed) == unit:
                self._sources.tell(wrong, recovered=True)
                if disk is not None and not candidate.is_local:
                    disk.put(unit, size, 0, listed)
                return listed
            error = _wrong_list(candidate, index, self.file.size, unit, listed)
            wrong.append(Failure(candidate, error, is_of_list=True))
        self._sources.tell(wrong, recovered=True)
        self._has_lists = missing < len(candidates)
        if missing + len(wrong) == len(candidates):
            self._without_list.add(index)
        raise _NoList

    # The disk cache

    def _kept(self, start: int, size: int, unit: Digest) -> bytes | None:
        """Bytes that the disk cache has, verified. What lies on this machine needs no cache."""
        if self._disk is None or self._sources.are_local:
            return None
        return self._disk.get(self.file.digest, self.file.size, start, size, lambda data: hash_bytes(data) == unit)

    def _keep(self, start: int, data: bytes) -> None:
        if self._disk is not None and not self._sources.are_local:
            self._disk.put(self.file.digest, self.file.size, start, data)


class _NoList(Exception):
    """No place has the list of a block."""


def _wrong_list(candidate: Candidate, index: int, size: int, unit: Digest, listed: bytes) -> DigestMismatch:
    return DigestMismatch(
        f"the list of the pieces of block {index} of '{candidate.shown}' is damaged: for a file of {size} bytes it "
        f"should be {format_digest(unit)}, and is {format_digest(list_digest(listed))} with {len(listed)} bytes; small "
        "reads of the block read all of it",
        subject=candidate.shown,
    )


def _units(listed: bytes, start: int, size: int) -> tuple[int, list[Digest]]:
    """The number of the first piece of a block that a part of it touches, and the digests of all of them."""
    first, last = start // PIECE_SIZE, (start + size - 1) // PIECE_SIZE
    digests = range(first * DIGEST_SIZE, (last + 1) * DIGEST_SIZE, DIGEST_SIZE)
    return first, [Digest(listed[at : at + DIGEST_SIZE]) for at in digests]


def _joined(units: Sequence[Digest], pieces: dict[Digest, bytes], start: int, size: int) -> bytes | memoryview:
    whole = pieces[units[0]] if len(units) == 1 else b"".join([pieces[unit] for unit in units])
    return _cut(whole, start % PIECE_SIZE, size)


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and one past the last of each run of consecutive numbers."""
    first = 0
    for at in range(1, len(numbers) + 1):
        if at == len(numbers) or numbers[at] != numbers[at - 1] + 1:
            yield numbers[first], numbers[at - 1] + 1
            first = at


def _pread(start: int, size: int, reader: PlaceReader) -> bytes:
    return reader.pread(start, size)


def _cut(data: bytes, start: int, size: int) -> bytes | memoryview:
    return data if start == 0 and size == len(data) else memoryview(data)[start : start + size]
