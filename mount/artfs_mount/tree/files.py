"""Files inside versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from artfs.catalog.blobs import CONTENT
from artfs.content.digest import Digest, format_digest
from artfs_mount.tree.columns import EntryColumns
from artfs_mount.tree.context import Context
from artfs_mount.tree.inode import version_of
from artfs_mount.tree.nearness import Where
from artfs_mount.tree.node import FOREVER, XATTR_PREFIX, Attributes, Link, Owner, TreeNode, unsupported_xattr

if TYPE_CHECKING:
    from artfs.blobs.window import Cursor


class VersionFile(TreeNode):
    """A file of a version: a name for a blob.

    Args:
        context: What the mount shares.
        ino: Inode number.
        mode: As `stat` shows it.
        size: Bytes.
        mtime_ns: When it was written.
        blob_id: Row of the content.
        digest: Of the content.
        owner: Whose it is.
    """

    __slots__ = ("_context", "blob_id", "digest", "mode", "mtime_ns", "owner", "size")

    def __init__(
        self,
        context: Context,
        ino: int,
        mode: int,
        size: int,
        mtime_ns: int,
        blob_id: int,
        digest: Digest,
        owner: Owner | None,
    ) -> None:
        self.ino = ino
        self.mode = mode
        self.size = size
        self.mtime_ns = mtime_ns
        self.blob_id = blob_id
        self.digest = digest
        self.owner = owner
        self._context = context

    def attributes(self) -> Attributes:
        return Attributes(self.ino, self.mode, self.size, self.mtime_ns, 1, FOREVER, FOREVER, self.owner)

    def where(self) -> Where:
        """Where its bytes are read."""
        return self._context.where(self.blob_id)

    def open(self) -> Cursor:
        """Open the content; every byte that is read is checked. May take long unless its bytes are near."""
        return self._context.workspace.blobs.cursor(self.digest)

    def check_there(self) -> None:
        """Raise Stale if its version was removed: nothing is wrong when its content cannot be read any more."""
        self._context.version(version_of(self.ino))

    def look_and_open(self) -> Cursor:
        """Find out how near the bytes are, for the next time, and open the content. Waits for their disks."""
        self._context.look_where(self.blob_id)
        return self.open()

    def xattrs(self) -> Mapping[bytes, bytes]:
        blob = self._context.catalog.blobs.by_id(self.blob_id)
        if blob is None or blob.kind != CONTENT:
            return {}
        return {XATTR_PREFIX + b"digest": format_digest(blob.digest).encode()}

    def set_xattr(self, name: bytes, value: bytes) -> None:
        if name == XATTR_PREFIX + b"digest":
            raise PermissionError("the digest of a file follows from its content, and cannot be set")
        raise unsupported_xattr(name)


def leaf(context: Context, columns: EntryColumns, position: int, ino: int, user_id: int) -> VersionFile | Link:
    """The file or link at a position of a directory. user_id: whose it is; 0 for the daemon's user."""
    mtime_ns, blob_id = columns.mtimes[position], columns.rows[position]
    if not blob_id:
        return Link(ino, columns.target(position), mtime_ns, FOREVER)
    digest, owner = Digest(columns.digest(position)), context.owner(user_id)
    return VersionFile(context, ino, columns.modes[position], columns.sizes[position], mtime_ns, blob_id, digest, owner)
