"""`/artifacts/<name>`: the versions of an artifact, read afresh each time, and links to the newest ones."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from artfs_mount.tree import inode
from artfs_mount.tree.context import Context
from artfs_mount.tree.listing import Rows
from artfs_mount.tree.node import (
    WRITABLE_DIRECTORY_MODE,
    Attributes,
    Directory,
    Link,
    Listing,
    TreeNode,
    as_text,
    no_entry,
    stale,
)
from artfs_mount.tree.version import VersionRoot

if TYPE_CHECKING:
    from artfs.catalog.listings import ListedVersion
    from artfs.catalog.tags import Tag
    from artfs.catalog.versions import Version

LATEST: Final = "latest"
TAG_MARK: Final = "@"


class ArtifactDirectory(Directory):
    """The directory of an artifact.

    Args:
        context: What the mount shares.
        artifact_id: The artifact.
        created_us: When it was made.
        changed_us: When its newest version was made, where that was read together with others'.
    """

    __slots__ = ("_changed_us", "_context", "_created_us", "_id")

    def __init__(self, context: Context, artifact_id: int, created_us: int, changed_us: int | None = None) -> None:
        self.ino = inode.pack(inode.InodeKind.ARTIFACT, artifact_id)
        self._context = context
        self._id = artifact_id
        self._created_us = created_us
        self._changed_us = changed_us

    def attributes(self) -> Attributes:
        changed_us = self._changed_us
        if changed_us is None:
            latest = self._context.catalog.versions.latest(self._id)
            changed_us = latest.created_us if latest else self._created_us
        fresh = self._context.fresh_seconds
        return Attributes(self.ino, WRITABLE_DIRECTORY_MODE, 0, changed_us * 1000, 1, fresh, fresh)

    def lookup(self, name: bytes) -> TreeNode:
        text = as_text(name)
        if text == LATEST:
            newest = self._context.catalog.versions.latest(self._id)
            if newest is None:
                raise no_entry(name)
            return _latest_link(self._id, newest)
        if text.startswith(TAG_MARK):
            link = _newest_tagged(self._context, self._id, self._context.catalog.tags.get(text[len(TAG_MARK) :]))
            if link is None:
                raise no_entry(name)
            return link
        version = self._context.catalog.versions.get(self._id, text)
        if version is None:
            raise no_entry(name)
        return _version_root(self._context, version)

    def listing(self) -> Listing:
        read = partial(self._context.catalog.listings.versions, self._id)
        return Rows(self._context, read, self._entry, self._links, is_quick=True)

    def _entry(self, version: ListedVersion) -> tuple[bytes, TreeNode]:
        return version.name.encode(), _version_root(self._context, version)

    def _links(self) -> Iterator[tuple[bytes, TreeNode]]:
        latest = self._context.catalog.versions.latest(self._id)
        if latest is not None:
            yield LATEST.encode(), _latest_link(self._id, latest)
        self._context.may_wait()  # it looks at every version that carries a tag
        for found in self._context.catalog.listings.newest_tagged(self._id):
            yield (TAG_MARK + found.tag).encode(), _tag_link(self._id, found.tag_id, found.version, found.created_us)


def artifact(context: Context, payload: int) -> ArtifactDirectory:
    """The directory of an inode number."""
    row = context.catalog.artifacts.by_id(payload)
    if row is None:
        raise stale(payload)
    return ArtifactDirectory(context, row.id, row.created_us)


def latest_link(context: Context, payload: int) -> Link:
    """The link `latest` of an inode number."""
    version = context.catalog.versions.latest(payload)
    if version is None:
        raise stale(payload)
    return _latest_link(payload, version)


def tag_link(context: Context, payload: int) -> Link:
    """The link `@<tag>` of an inode number."""
    artifact_id, tag_id = inode.unpack_pair(payload, inode.TAG_BITS)
    link = _newest_tagged(context, artifact_id, context.catalog.tags.by_id(tag_id))
    if link is None:
        raise stale(payload)
    return link


def _latest_link(artifact_id: int, version: Version) -> Link:
    ino = inode.pack(inode.InodeKind.LATEST, artifact_id)
    return Link(ino, version.name.encode(), version.created_us * 1000)


def _newest_tagged(context: Context, artifact_id: int, tag: Tag | None) -> Link | None:
    version = context.catalog.versions.by_tag(artifact_id, tag.name) if tag is not None else None
    if tag is None or version is None:
        return None
    return _tag_link(artifact_id, tag.id, version.name, version.created_us)


def _tag_link(artifact_id: int, tag_id: int, version: str, created_us: int) -> Link:
    return Link(inode.tag_link(artifact_id, tag_id), version.encode(), created_us * 1000)


def _version_root(context: Context, version: Version | ListedVersion) -> VersionRoot:
    if version.tree_id is None:
        raise no_entry(version.name)
    return VersionRoot(context, version.id, context.root_of(version))
