"""`/artifacts`: all artifacts, read afresh each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from artfs_mount.tree import inode
from artfs_mount.tree.artifact import ArtifactDirectory
from artfs_mount.tree.context import Context
from artfs_mount.tree.listing import Rows
from artfs_mount.tree.node import (
    FOREVER,
    WRITABLE_DIRECTORY_MODE,
    Attributes,
    Directory,
    Listing,
    TreeNode,
    as_text,
    no_entry,
)

if TYPE_CHECKING:
    from artfs.catalog.listings import Named


class ArtifactsDirectory(Directory):
    """The directory of artifacts."""

    __slots__ = ("_context",)

    def __init__(self, context: Context) -> None:
        self.ino = int(inode.Fixed.ARTIFACTS)
        self._context = context

    def attributes(self) -> Attributes:
        newest_us = self._context.catalog.listings.newest_artifact_us()
        changed_ns = newest_us * 1000 if newest_us is not None else self._context.started_ns
        fresh = self._context.fresh_seconds
        return Attributes(self.ino, WRITABLE_DIRECTORY_MODE, 0, changed_ns, seconds=fresh, name_seconds=FOREVER)

    def lookup(self, name: bytes) -> TreeNode:
        row = self._context.catalog.artifacts.get(as_text(name))
        if row is None:
            raise no_entry(name)
        return ArtifactDirectory(self._context, row.id, row.created_us)

    def listing(self) -> Listing:
        return Rows(self._context, self._context.catalog.listings.artifacts, self._entry, is_quick=True)

    def _entry(self, row: Named) -> tuple[bytes, TreeNode]:
        return row.name.encode(), ArtifactDirectory(self._context, row.id, row.created_us, row.changed_us)
