"""`/artifacts`: all artifacts, read afresh each time."""

from __future__ import annotations

from collections.abc import Sequence

from artfs.catalog.listings import Named
from artfs_mount.tree import inode
from artfs_mount.tree.artifact import ArtifactDirectory
from artfs_mount.tree.listing import HasTime, TableDirectory
from artfs_mount.tree.node import FOREVER, WRITABLE_DIRECTORY_MODE, Attributes, TreeNode


class ArtifactsDirectory(TableDirectory):
    """The directory of artifacts."""

    __slots__ = ()
    number = inode.Fixed.ARTIFACTS

    def attributes(self) -> Attributes:
        newest_us = self._context.catalog.listings.newest_artifact_us()
        changed_ns = newest_us * 1000 if newest_us is not None else self._context.started_ns
        fresh = self._context.fresh_seconds
        return Attributes(self.ino, WRITABLE_DIRECTORY_MODE, 0, changed_ns, seconds=fresh, name_seconds=FOREVER)

    def _row(self, name: str) -> HasTime | None:
        return self._context.catalog.artifacts.get(name)

    def _rows(self, after: int, most: int) -> Sequence[Named]:
        return self._context.catalog.listings.artifacts(after, most)

    def _child(self, row: HasTime) -> TreeNode:
        changed_us = row.changed_us if isinstance(row, Named) else None
        return ArtifactDirectory(self._context, row.id, row.created_us, changed_us)
