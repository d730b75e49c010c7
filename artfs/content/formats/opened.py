"""How a check reads a file: little of it, whatever its size."""

from __future__ import annotations

import os
from typing import Protocol

MOST_BYTES = 4 * 2**20
"""Bytes that one check may read of a file."""
MOST_READS = 1024
"""In at most so many reads."""


class OpenedFile(Protocol):
    """A file to read from. `pread` returns fewer bytes than were asked for only where the file ends."""

    @property
    def size(self) -> int: ...

    def pread(self, offset: int, length: int, /) -> bytes: ...


class OpenedDescriptor:
    """The file behind a descriptor, which stays the caller's, with the size that it has now."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    def pread(self, offset: int, length: int, /) -> bytes:
        pieces = []
        while length > 0 and (piece := os.pread(self._descriptor, length, offset)):
            pieces.append(piece)
            offset += len(piece)
            length -= len(piece)
        return b"".join(pieces)


class BudgetSpent(Exception):
    """A check wanted to read more than it may."""


class Shrunk(Exception):
    """A file became shorter while it was read."""


class BoundedFile:
    """A file of which at most `MOST_BYTES` can be read, in at most `MOST_READS` reads."""

    def __init__(self, file: OpenedFile) -> None:
        self._file = file
        self.size = file.size
        self._bytes = MOST_BYTES
        self._reads = MOST_READS

    def pread(self, offset: int, length: int, /) -> bytes:
        """Return what there is of these bytes; raises BudgetSpent, and Shrunk."""
        length = min(length, self.size - offset)
        if length <= 0 or offset < 0:
            return b""
        self._bytes -= length
        self._reads -= 1
        if self._bytes < 0 or self._reads < 0:
            raise BudgetSpent(f"a check reads at most {MOST_BYTES} bytes in {MOST_READS} reads")
        found = self._file.pread(offset, length)
        if len(found) < length:
            raise Shrunk
        return found

    def end(self, length: int) -> bytes:
        """Return the last bytes."""
        return self.pread(max(0, self.size - length), length)
