"""The entries of one directory of a version, as columns: under 200 bytes an entry, half of what tuples take."""

from __future__ import annotations

import stat
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import Final

from artfs.catalog.trees import EntryRow
from artfs.content.digest import DIGEST_SIZE
from artfs.content.tree import EntryKind
from artfs_mount.tree.modes import Modes
from artfs_mount.tree.node import LINK_MODE

_NO_DIGEST: Final = bytes(DIGEST_SIZE)


class EntryColumns:
    """What is in a directory, in name order. All columns have the same length; the position is the key.

    names: path components.
    modes: as `stat` shows them.
    offsets: how far an entry's ordinal is from its directory's: the same rows may be part of many versions. Ascending.
    sizes: bytes of files and of link targets; 0 for directories.
    mtimes: nanoseconds.
    rows: the blob's id for a file, the tree's for a directory, 0 for a link.
    """

    __slots__ = ("_digests", "_targets", "modes", "mtimes", "names", "offsets", "rows", "sizes")

    def __init__(self, pieces: Iterable[Sequence[EntryRow]], shown: Modes) -> None:
        self.names: list[bytes] = []
        self.modes = array("H")
        self.offsets = array("q")
        self.sizes = array("q")
        self.mtimes = array("q")
        self.rows = array("q")
        self._targets: dict[int, bytes] = {}
        self._digests = bytearray()
        offset = 1
        for rows in pieces:
            offset = self._add(rows, shown, offset)

    def __len__(self) -> int:
        return len(self.names)

    def is_directory(self, position: int) -> bool:
        """Whether it is a directory."""
        return stat.S_ISDIR(self.modes[position])

    def position(self, name: bytes) -> int | None:
        """Where a name is, or None."""
        at = bisect_left(self.names, name)
        return at if at < len(self.names) and self.names[at] == name else None

    def towards(self, distance: int) -> int | None:
        """Where the entry is that has, or holds, the ordinal so far after this directory's; None if all come later."""
        at = bisect_right(self.offsets, distance)
        return at - 1 if at else None

    def digest(self, position: int) -> bytes:
        """The digest of a file's or directory's content."""
        return bytes(self._digests[position * DIGEST_SIZE : (position + 1) * DIGEST_SIZE])

    def target(self, position: int) -> bytes:
        """Where a link points."""
        return self._targets[position]

    def _add(self, rows: Sequence[EntryRow], shown: Modes, offset: int) -> int:
        """Take more rows, the first of which has that offset; returns the next one's."""
        for row in rows:
            self.offsets.append(offset)
            offset += 1
            if row.kind == EntryKind.FILE:
                self.modes.append(shown.file(row.mode))
                self.sizes.append(row.size)
                self.rows.append(row.blob_id or 0)
            elif row.kind == EntryKind.DIRECTORY:
                self.modes.append(shown.directory(row.mode))
                self.sizes.append(0)
                self.rows.append(row.child_id or 0)
                # All in it comes before the next name. Whatever a catalog says, ordinals ascend.
                offset += max(0, (row.files or 0) + (row.directories or 0) - 1)
            else:
                self.modes.append(LINK_MODE)
                self.sizes.append(row.size)
                self.rows.append(0)
                self._targets[len(self.names)] = row.target or b""
            self.names.append(row.name)
            self.mtimes.append(row.mtime_ns)
            self._digests += row.digest or _NO_DIGEST
        return offset
