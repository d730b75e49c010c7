"""Files inside versions. What they are is known from the inode number alone, whichever version they were found in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from artfs.catalog.blobs import CONTENT
from artfs.content.digest import Digest, format_digest
from artfs.content.tree import Kind
from artfs_mount.tree import inode
from artfs_mount.tree.columns import Columns
from artfs_mount.tree.context import Context
from artfs_mount.tree.node import FOREVER, XATTR_PREFIX, Attributes, Link, Node, Owner, stale, unsupported_xattr

if TYPE_CHECKING:
    from artfs.stores.verified import BlobReader


class VersionFile(Node):
    """A file of a version: a name for a blob.

    Args:
        context: What the mount shares.
        ino: Inode number, equal for files of equal content, mode, mtime and owner.
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

    def open(self) -> BlobReader:
        """Open the content; every byte that is read is checked."""
        return self._context.workspace.open_blob(self.digest)

    def xattrs(self) -> Mapping[bytes, bytes]:
        blob = self._context.catalog.blobs.by_id(self.blob_id)
        if blob is None or blob.kind != CONTENT:
            return {}
        return {XATTR_PREFIX + b"digest": format_digest(blob.digest).encode()}

    def set_xattr(self, name: bytes, value: bytes) -> None:
        if name == XATTR_PREFIX + b"digest":
            raise PermissionError("the digest of a file follows from its content, and cannot be set")
        raise unsupported_xattr(name)


def leaf(context: Context, columns: Columns, position: int, user_id: int) -> VersionFile | Link:
    """The file or link at a position of a directory. user_id: whose it is; 0 for the daemon's user."""
    ino, mtime_ns, blob_id = columns.inodes[position], columns.mtimes[position], columns.rows[position]
    if not blob_id:
        return Link(ino, columns.target(position), mtime_ns, FOREVER)
    if user_id:
        ino = inode.owned_entry(user_id, inode.entry_of(ino))
    digest, owner = Digest(columns.digest(position)), context.owner(user_id)
    return VersionFile(context, ino, columns.modes[position], columns.sizes[position], mtime_ns, blob_id, digest, owner)


def entry(context: Context, payload: int) -> Node:
    """The file or link of an inode number, which every version that holds it has in common."""
    return _entry(context, 0, payload)


def owned_entry(context: Context, payload: int) -> Node:
    """The same of versions that belong to another user than the daemon's."""
    return _entry(context, *inode.unpack_pair(payload, inode.ENTRY_BITS))


def _entry(context: Context, user_id: int, entry_inode: int) -> Node:
    found = context.files.get((user_id, entry_inode))
    if found is not None:
        return found
    row = context.catalog.trees.by_inode(entry_inode)
    if row is None or row.kind == Kind.DIRECTORY:
        raise stale(entry_inode)
    node = leaf(context, Columns([row], context.modes), 0, user_id)
    if isinstance(node, VersionFile):
        context.files.put((user_id, entry_inode), node)
    return node
