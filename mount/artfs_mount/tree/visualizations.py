"""`.artfs/visualizations` of a version: pictures and texts that show it to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from artfs.artifacts.visualize import read_visualization
from artfs.content.digest import tagged
from artfs_mount.tree import inode
from artfs_mount.tree.listing import FixedDirectory
from artfs_mount.tree.node import (
    DIRECTORY_MODE,
    FOREVER,
    Attributes,
    Directory,
    Generated,
    Listing,
    TreeNode,
    no_entry,
    stale,
    unseen,
)

if TYPE_CHECKING:
    from artfs.catalog.versions import Version
    from artfs.catalog.visualizations import Visualization as VisualizationRow
    from artfs_mount.tree.context import Context


class VisualizationsDirectory(Directory):
    """The directory. It may get more entries as long as the version exists."""

    __slots__ = ("_context", "_version")

    def __init__(self, context: Context, version: Version) -> None:
        self.ino = inode.pack(inode.InodeKind.VISUALIZATIONS, version.id)
        self._version = version
        self._context = context

    def attributes(self) -> Attributes:
        return Attributes(self.ino, DIRECTORY_MODE, 0, self._version.created_us * 1000, name_seconds=FOREVER)

    def lookup(self, name: bytes) -> TreeNode:
        for found, node in self.entries():
            if found == name:
                return node
        raise no_entry(name)

    def listing(self) -> Listing:
        rows = self._context.catalog.visualizations.list(self._version.id)
        return FixedDirectory((row.name.encode(), VisualizationFile(self._context, self._version, row)) for row in rows)


class VisualizationFile(Generated):
    """One of them: a small file beside the version's own in its store, read and checked as a whole."""

    __slots__ = ("_context", "_row", "_version")

    def __init__(self, context: Context, version: Version, row: VisualizationRow) -> None:
        self.ino = inode.visualization(version.id, tagged(b"artfs mount visualization", row.name.encode(), row.digest))
        self._context = context
        self._version = version
        self._row = row

    def content(self) -> bytes:
        self._context.may_wait()
        try:
            return read_visualization(self._context.workspace, self._row.digest)
        except OSError:
            self._context.version(self._version.id)
            raise

    def attributes(self) -> Attributes:
        mode, owner = self._context.told(self._version.id)
        changed_ns = self._version.created_us * 1000
        return Attributes(self.ino, mode, self._row.size, changed_ns, seconds=FOREVER, owner=owner)

    def listed(self) -> Attributes:
        return unseen(self.ino, self._version.created_us * 1000)

    def looked_up(self) -> Attributes:
        return self.listed()


def visualizations(context: Context, payload: int) -> VisualizationsDirectory:
    """The directory of an inode number."""
    return VisualizationsDirectory(context, context.version(payload))


def visualization(context: Context, payload: int) -> TreeNode:
    """The file of an inode number."""
    version_id, _ = inode.unpack_pair(payload, inode.HASH_BITS)
    wanted = inode.pack(inode.InodeKind.VISUALIZATION, payload)
    for _, node in visualizations(context, version_id).entries():
        if node.ino == wanted:
            return node
    raise stale(wanted)
