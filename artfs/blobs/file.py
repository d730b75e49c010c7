"""A verified blob as a file object."""

from __future__ import annotations

import io
import os
from typing import Any

from artfs.blobs.window import Cursor
from artfs.content.digest import BLOCK_SIZE


class BlobFile(io.RawIOBase):
    """A blob with a position, for `io.BufferedReader`. Closing it closes the cursor.

    Args:
        cursor: of the blob.
    """

    mode = "rb"

    def __init__(self, cursor: Cursor) -> None:
        super().__init__()
        self._cursor = cursor
        self._position = 0

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer`, but only to the end of a block: what is read is then copied once, straight from the cache."""
        in_block = BLOCK_SIZE - self._position % BLOCK_SIZE
        data = self._cursor.read(self._position, min(len(buffer), in_block))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def readall(self) -> bytes:
        """Return all that is left."""
        data = bytes(self._cursor.read(self._position, self._cursor.size - self._position))
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position, and return it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._cursor.size}[whence]
        if base + offset < 0:
            raise ValueError(f"cannot seek to {base + offset}: it is before the file's beginning")
        self._position = base + offset
        return self._position

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def close(self) -> None:
        """Give back what the cursor holds."""
        if not self.closed:
            self._cursor.close()
        super().close()
