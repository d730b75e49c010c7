"""The entries of one directory of a version, as columns: under 200 bytes an entry, half of what tuples take."""

from __future__ import annotations

import stat
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final

from artfs.catalog.trees import EntryRow
from artfs.content.digest import DIGEST_SIZE
from artfs.content.tree import Kind
from artfs_mount.tree.modes import Modes
from artfs_mount.tree.node import LINK_MODE

_NO_DIGEST: Final = bytes(DIGEST_SIZE)


class Columns:
    """What is in a directory, in name order. All columns have the same length; the position is the key.

    names: path components.
    modes: as `stat` shows them.
    offsets: how far an entry's ordinal is from its directory's: the same rows may be part of many versions. Ascending.
    sizes: bytes of files and of link targets; 0 for directories.
    mtimes: nanoseconds.
    rows: the blob's id for a file, the tree's for a directory, 0 for a link.
    """

    __slots__ = ("_digests", "_targets", "modes", "mtimes", "names", "offsets", "rows", "sizes")

    def __init__(self, rows: Sequence[EntryRow], shown: Modes) -> None:
        self.names = [row[1] for row in rows]
        self.modes = array("H")
        self.offsets = array("q")
        self.sizes = array("q")
        self.mtimes = array("q", [row[4] for row in rows])
        self.rows = array("q")
        self._targets: dict[int, bytes] = {}
        self._digests = b"".join([row[7] or _NO_DIGEST for row in rows])
        offset = 1
        for position, (_, _, kind, mode, _, _, size, _, blob_id, child_id, target, directories, files, _) in enumerate(
            rows
        ):
            self.offsets.append(offset)
            offset += 1
            if kind == Kind.FILE:
                self.modes.append(shown.file(mode))
                self.sizes.append(size)
                self.rows.append(blob_id or 0)
            elif kind == Kind.DIRECTORY:
                self.modes.append(shown.directory(mode))
                self.sizes.append(0)
                self.rows.append(child_id or 0)
                # All in it comes before the next name. Whatever a catalog says, ordinals ascend.
                offset += max(0, (files or 0) + (directories or 0) - 1)
            else:
                self.modes.append(LINK_MODE)
                self.sizes.append(size)
                self.rows.append(0)
                self._targets[position] = target or b""

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
        return self._digests[position * DIGEST_SIZE : (position + 1) * DIGEST_SIZE]

    def target(self, position: int) -> bytes:
        """Where a link points."""
        return self._targets[position]
