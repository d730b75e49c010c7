"""`/tags` and `/tags/<tag>`: every version that carries a tag, whatever artifact it is of; read afresh each time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from artfs_mount.tree import inode
from artfs_mount.tree.file_names import version_name
from artfs_mount.tree.links import many_version_facts, version_called, version_link
from artfs_mount.tree.listing import HasTime, LinkDirectory, Rows, TableDirectory
from artfs_mount.tree.node import (
    Listing,
    TreeNode,
    stale,
)

if TYPE_CHECKING:
    from artfs.catalog.lineage import VersionFacts
    from artfs.catalog.listings import Named
    from artfs_mount.tree.context import Context

LINK_UPS: Final = 2


class TagsDirectory(TableDirectory):
    """The directory of tags that versions carry."""

    __slots__ = ()
    number = inode.Fixed.TAGS

    def _row(self, name: str) -> HasTime | None:
        row = self._context.catalog.tags.get(name)
        return row if row is not None and self._context.catalog.listings.is_carried(row.id) else None

    def _rows(self, after: int, most: int) -> Sequence[Named]:
        return self._context.catalog.listings.tags(after, most)

    def _child(self, row: HasTime) -> TreeNode:
        return TagDirectory(self._context, row.id, row.created_us)


class TagDirectory(LinkDirectory):
    """The directory of a tag. A tag may be taken off: the kernel keeps its links for a moment only."""

    __slots__ = ("_id",)
    name_seconds = 0.0

    def __init__(self, context: Context, tag_id: int, created_us: int) -> None:
        super().__init__(context, inode.pack(inode.InodeKind.TAG, tag_id), created_us)
        self._id = tag_id

    def lookup(self, name: bytes) -> TreeNode:
        facts = version_called(self._context, name)
        if facts is not None and self._context.catalog.listings.is_tagged(self._id, facts.id):
            return version_link(self._context, LINK_UPS, facts)
        return self.long_named(name)

    def listing(self) -> Listing:
        self._context.may_wait()
        return Rows(self._context, self._read, self._entry)

    def _read(self, after: int, most: int) -> list[VersionFacts]:
        return many_version_facts(self._context, self._context.catalog.listings.tagged(self._id, after, most))

    def _entry(self, facts: VersionFacts) -> tuple[bytes, TreeNode]:
        return version_name(facts.artifact, facts.name), version_link(self._context, LINK_UPS, facts)


def tag(context: Context, payload: int) -> TagDirectory:
    """The directory of an inode number."""
    row = context.catalog.tags.by_id(payload)
    if row is None:
        raise stale(payload)
    return TagDirectory(context, row.id, row.created_us)
