"""`/tags` and `/tags/<tag>`: every version that carries a tag, whatever artifact it is of; read afresh each time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from artfs_mount.tree import inode
from artfs_mount.tree.file_names import version_name
from artfs_mount.tree.links import many_version_facts, version_link
from artfs_mount.tree.listing import LinkDirectory
from artfs_mount.tree.node import DIRECTORY_MODE, FOREVER, Attributes, Directory, Node, as_text, no_entry, stale

if TYPE_CHECKING:
    from artfs.catalog.tags import Tag as TagRow
    from artfs_mount.tree.context import Context

LINK_UPS: Final = 2


class Tags(Directory):
    """The directory of tags."""

    __slots__ = ("_context",)

    def __init__(self, context: Context) -> None:
        self.ino = int(inode.Fixed.TAGS)
        self._context = context

    def attributes(self) -> Attributes:
        return Attributes(self.ino, DIRECTORY_MODE, 0, self._context.started_ns, name_seconds=FOREVER)

    def lookup(self, name: bytes) -> Node:
        row = self._context.catalog.tags.get(as_text(name))
        if row is None:
            raise no_entry(name)
        return Tag(self._context, row)

    def entries(self) -> Sequence[tuple[bytes, Node]]:
        return [(row.name.encode(), Tag(self._context, row)) for row in self._context.catalog.tags.list()]


class Tag(LinkDirectory):
    """The directory of a tag. A tag may be taken off: the kernel keeps its links for a moment only."""

    __slots__ = ("_name",)
    name_seconds = 0.0

    def __init__(self, context: Context, row: TagRow) -> None:
        super().__init__(context, inode.pack(inode.Kind.TAG, row.id), row.created_us)
        self._name = row.name

    def _read(self) -> Mapping[bytes, Node]:
        ids = list(self._context.catalog.tags.version_ids(self._name))
        found = many_version_facts(self._context, ids)
        return {
            version_name(facts.artifact, facts.name): version_link(self._context, LINK_UPS, facts) for facts in found
        }


def tag(context: Context, payload: int) -> Tag:
    """The directory of an inode number."""
    row = context.catalog.tags.by_id(payload)
    if row is None:
        raise stale(payload)
    return Tag(context, row)
