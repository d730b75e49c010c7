"""`/artifacts`: all artifacts, read afresh each time."""

from __future__ import annotations

from collections.abc import Sequence

from artfs_mount.tree import inode
from artfs_mount.tree.artifact import Artifact
from artfs_mount.tree.context import Context
from artfs_mount.tree.node import FOREVER, WRITABLE_DIRECTORY_MODE, Attributes, Directory, Node, as_text, no_entry


class Artifacts(Directory):
    """The directory of artifacts."""

    __slots__ = ("_context",)

    def __init__(self, context: Context) -> None:
        self.ino = int(inode.Fixed.ARTIFACTS)
        self._context = context

    def attributes(self) -> Attributes:
        newest = self._context.catalog.artifacts.list(sort="desc:created", size=1)
        changed_ns = newest[0].created_us * 1000 if newest else self._context.started_ns
        fresh = self._context.fresh_seconds
        return Attributes(self.ino, WRITABLE_DIRECTORY_MODE, 0, changed_ns, seconds=fresh, name_seconds=FOREVER)

    def lookup(self, name: bytes) -> Node:
        row = self._context.catalog.artifacts.get(as_text(name))
        if row is None:
            raise no_entry(name)
        return Artifact(self._context, row)

    def entries(self) -> Sequence[tuple[bytes, Node]]:
        rows = self._context.catalog.artifacts.list()
        return [(row.name.encode(), Artifact(self._context, row)) for row in rows]
