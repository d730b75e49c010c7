"""What the cursor of an open file will want next.

A cursor that reads in order is given as many bytes ahead as it has read in a row, so that the window doubles whenever
it was used up, up to `LARGEST` and to its share of the memory that all cursors have. A jump begins anew. What is little
in a row is read by pieces; from a window of a block on, whole blocks are read, and the next ones before they are asked
for.

Kernels send the requests of one read-ahead nearly in order, and programs skip what they know: a step of up to `SLACK`
in either direction is no jump.
"""

from __future__ import annotations

from artfs.blobs.memory import Memory
from artfs.blobs.reader import BlobReader
from artfs.content.digest import BLOCK_SIZE

LARGEST = 2 * BLOCK_SIZE
"""Bytes ahead. More makes a local disk no faster: the next block is there before the last one was taken."""
SLACK = 2**20
"""The largest request of the kernel."""


class Cursor:
    """An open blob that is read by one reader, who goes through it in order or jumps.

    Args:
        reader: the blob, which is closed with it.
    """

    def __init__(self, reader: BlobReader) -> None:
        self._reader = reader
        self._window = Window(reader.size, reader.memory)

    @property
    def size(self) -> int:
        """Bytes of the blob."""
        return self._reader.size

    def peek(self, offset: int, size: int, *, is_near: bool = False) -> bytes | memoryview | None:
        """Return what `read` would if all of it is in memory, else None; see `BlobReader.peek`."""
        data = self._reader.peek(offset, size, is_near=is_near)
        if data is not None:
            self._window.move(offset, len(data))
        return data

    def read(self, offset: int, size: int) -> bytes | memoryview:
        """Return `size` bytes from byte `offset`, fewer only at the end; raises what `BlobReader.read` does."""
        self._window.move(offset, size)
        return self._reader.read(offset, size, by_blocks=self._window.takes_blocks)

    def due(self) -> list[int]:
        """Return the blocks to `prefetch` now, each once."""
        return self._window.due()

    def prefetch(self, block: int) -> bool:
        """Bring a block into memory, in another thread than the one that reads; see `BlobReader.prefetch`."""
        return self._reader.prefetch(block)

    def close(self) -> None:
        """Give back what the reader holds; a read that is under way in another thread still completes."""
        self._window.close()
        self._reader.close()

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Window:
    """How far ahead one cursor is read.

    Args:
        size: bytes of the blob.
        memory: what is read ahead goes there.
    """

    def __init__(self, size: int, memory: Memory) -> None:
        self._size = size
        self._memory = memory
        self._position = 0
        self._in_a_row = 0
        self._fetched = 0
        self._is_stream = False

    @property
    def bytes_ahead(self) -> int:
        """How far ahead of its position the cursor may be read."""
        return min(self._in_a_row, LARGEST, self._memory.share)

    @property
    def takes_blocks(self) -> bool:
        """Whether whole blocks are worth reading: what is asked for now is not all of them that will be."""
        return self.bytes_ahead >= BLOCK_SIZE

    def move(self, offset: int, size: int) -> None:
        """Take a request."""
        if abs(offset - self._position) <= SLACK:
            self._position = max(self._position, offset + size)
            self._in_a_row += size
        else:
            self._position = offset + size
            self._in_a_row = size
            self._fetched = 0
        self._stream(self._in_a_row >= BLOCK_SIZE)

    def due(self) -> list[int]:
        """Return the blocks to read now, each once."""
        first = self._position // BLOCK_SIZE + 1
        last = min(self._position + self.bytes_ahead, self._size) // BLOCK_SIZE
        due = [block for block in range(max(first, self._fetched + 1), last + 1) if block * BLOCK_SIZE < self._size]
        if due:
            self._fetched = due[-1]
        return due

    def close(self) -> None:
        """Take no more of the memory."""
        self._stream(False)

    def _stream(self, is_stream: bool) -> None:
        if is_stream != self._is_stream:
            self._is_stream = is_stream
            (self._memory.stream_begins if is_stream else self._memory.stream_ends)()
