"""What is inside versions: immutable, and known from (version, ordinal) alone.

An ordinal counts every name of a version in preorder, so equal files of two versions are two numbers, and whoever opens
one says which version he means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from artfs_mount.tree import inode, version_xattrs
from artfs_mount.tree.columns import EntryColumns
from artfs_mount.tree.context import Context, Top
from artfs_mount.tree.dot_artfs import DotArtfs
from artfs_mount.tree.files import VersionFile, leaf
from artfs_mount.tree.node import FOREVER, Attributes, Directory, DirectoryEntry, Listing, TreeNode, no_entry, stale

__all__ = ["VersionDirectory", "VersionFile", "VersionRoot", "version_entry"]

DOT_ARTFS = b".artfs"


class VersionDirectory(Directory):
    """A directory somewhere inside a version.

    Args:
        context: What the mount shares.
        version_id: The version.
        ordinal: Its number among the version's entries in preorder.
        tree_id: Row of its entries, which other directories may share.
        mtime_ns: When its entries were last changed before it became part of a version.
        mode: As `stat` shows it.
        user_id: Whose it is, and all that is in it; 0 for the daemon's user.
    """

    __slots__ = ("_context", "mode", "mtime_ns", "ordinal", "tree_id", "user_id", "version_id")

    def __init__(
        self,
        context: Context,
        version_id: int,
        ordinal: int,
        tree_id: int,
        mtime_ns: int,
        mode: int,
        user_id: int,
    ) -> None:
        self.ino = inode.version_entry(version_id, ordinal)
        self.version_id = version_id
        self.ordinal = ordinal
        self.tree_id = tree_id
        self.mtime_ns = mtime_ns
        self.mode = mode
        self.user_id = user_id
        self._context = context

    def attributes(self) -> Attributes:
        owner = self._context.owner(self.user_id)
        return Attributes(self.ino, self.mode, 0, self.mtime_ns, 1, FOREVER, FOREVER, owner)

    def lookup(self, name: bytes) -> TreeNode:
        columns = self._context.columns(self.tree_id)
        position = columns.position(name)
        if position is None:
            raise no_entry(name)
        return self.child(columns, position)

    def listing(self) -> Listing:
        return _Listing(self, self._context.columns(self.tree_id))

    def child(self, columns: EntryColumns, position: int) -> TreeNode:
        """The entry at a position of this directory's columns."""
        ordinal = self.ordinal + columns.offsets[position]
        if not columns.is_directory(position):
            ino = inode.version_entry(self.version_id, ordinal)
            return leaf(self._context, columns, position, ino, self.user_id)
        tree_id, mtime_ns, mode = columns.rows[position], columns.mtimes[position], columns.modes[position]
        return VersionDirectory(self._context, self.version_id, ordinal, tree_id, mtime_ns, mode, self.user_id)


class VersionRoot(VersionDirectory):
    """`/artifacts/<name>/<version>`: the top of a version, which also leads to what artfs knows about it."""

    __slots__ = ()

    def __init__(self, context: Context, version_id: int, top: Top) -> None:
        super().__init__(context, version_id, 0, top.tree_id, top.mtime_ns, top.mode, top.user_id)

    def attributes(self) -> Attributes:
        return super().attributes()._replace(name_seconds=self._context.fresh_seconds)

    def lookup(self, name: bytes) -> TreeNode:
        return DotArtfs(self._context, self.version_id) if name == DOT_ARTFS else super().lookup(name)

    def xattrs(self) -> Mapping[bytes, bytes]:
        return version_xattrs.read(self._context, self.version_id)

    def set_xattr(self, name: bytes, value: bytes) -> None:
        version_xattrs.write(self._context, self.version_id, name, value)


def version_entry(context: Context, payload: int) -> TreeNode:
    """What an inode number stands for: from the root down, always into the directory that holds the ordinal."""
    version_id, ordinal = inode.unpack_pair(payload, inode.ORDINAL_BITS)
    wanted = inode.version_entry(version_id, ordinal)
    node: TreeNode = VersionRoot(context, version_id, context.root(version_id))
    while node.ino != wanted:
        if not isinstance(node, VersionDirectory):
            raise stale(payload)
        columns = context.columns(node.tree_id)
        position = columns.towards(ordinal - node.ordinal)
        if position is None:
            raise stale(payload)
        node = node.child(columns, position)
    return node


class _Listing(Listing):
    """The entries of a directory, made into nodes only when they are asked for."""

    def __init__(self, directory: VersionDirectory, columns: EntryColumns) -> None:
        self._directory = directory
        self._columns = columns

    def after(self, position: int, most: int) -> Sequence[DirectoryEntry]:
        child, columns = self._directory.child, self._columns
        names = columns.names[position : position + most]
        return [DirectoryEntry(at + 1, name, child(columns, at)) for at, name in enumerate(names, position)]
