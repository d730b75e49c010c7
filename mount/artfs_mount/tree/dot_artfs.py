"""`.artfs` of a version: what artfs knows about it, as files. Not listed beside the version's own files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from artfs.catalog.blobs import IDENTITY
from artfs.catalog.trees import EntryRow
from artfs.content.b3sums import b3sums
from artfs.content.digest import Digest, format_digest
from artfs.content.tree import EntryKind
from artfs.describe.versions import versions
from artfs.enums import ArtifactSaveType
from artfs_mount.tree import inode
from artfs_mount.tree.blocking import Slow
from artfs_mount.tree.json_text import json_text, json_with_rows
from artfs_mount.tree.lineage import lineage_picture
from artfs_mount.tree.links import step_facts, step_link
from artfs_mount.tree.listing import FixedDirectory
from artfs_mount.tree.node import (
    DIRECTORY_MODE,
    FOREVER,
    Attributes,
    Directory,
    Generated,
    Listing,
    Text,
    TreeNode,
    no_entry,
    stale,
    unseen,
)
from artfs_mount.tree.visualizations import VisualizationsDirectory

if TYPE_CHECKING:
    from artfs.catalog.versions import Version
    from artfs_mount.tree.context import Context

PRODUCER: Final = b"producer"
LINK_UPS: Final = 4
"""From `/artifacts/<name>/<version>/.artfs` to the top."""


class DotArtfs(Directory):
    """The directory of what is known about a version."""

    __slots__ = ("_context", "version_id")

    def __init__(self, context: Context, version_id: int) -> None:
        self.ino = inode.pack(inode.InodeKind.DOT_ARTFS, version_id)
        self.version_id = version_id
        self._context = context

    def attributes(self) -> Attributes:
        changed_ns = self._context.version(self.version_id).created_us * 1000
        return Attributes(self.ino, DIRECTORY_MODE, 0, changed_ns, seconds=FOREVER, name_seconds=FOREVER)

    def lookup(self, name: bytes) -> TreeNode:
        version = self._context.version(self.version_id)
        if name == PRODUCER and version.producer_id is not None:
            return step_link(self._context, LINK_UPS, step_facts(self._context, version.producer_id))
        make = _ENTRIES.get(name)
        if make is None:
            raise no_entry(name)
        return make(self._context, version)

    def listing(self) -> Listing:
        version = self._context.version(self.version_id)
        producer = [] if version.producer_id is None else [(PRODUCER, self.lookup(PRODUCER))]
        return FixedDirectory([*((name, make(self._context, version)) for name, make in _ENTRIES.items()), *producer])


class VersionText(Generated):
    """A generated file that follows from the version alone, so that nothing has to be remembered for its number.

    Its size is known only by making it, which takes a second or so for every 100,000 files of the version; it is kept.
    """

    __slots__ = ("_context", "_make", "mtime_ns", "version_id")

    def __init__(self, context: Context, version: Version, which: int) -> None:
        self.ino = inode.version_text(version.id, which)
        self.version_id = version.id
        self.mtime_ns = version.created_us * 1000
        self._context = context
        self._make = _VERSION_TEXTS[which]

    def content(self) -> bytes:
        content = self._context.texts.get(self.ino)
        if content is None:
            self._context.may_wait(Slow.MAKING)
            content = self._context.texts.made(self.ino, self._made, len)
        return content

    def attributes(self) -> Attributes:
        mode, owner = self._context.told(self.version_id)
        size = self._context.sizes.get(self.ino)
        if size is None:
            size = len(self.content())
            self._context.sizes.put(self.ino, size)
        return Attributes(self.ino, mode, size, self.mtime_ns, 1, FOREVER, FOREVER, owner)

    def listed(self) -> Attributes:
        return unseen(self.ino, self.mtime_ns, FOREVER)

    def looked_up(self) -> Attributes:
        return self.listed()

    def _made(self) -> bytes:
        text = self._make(self._context, self._context.version(self.version_id))
        self._context.version(self.version_id)  # else some of it may have been missing
        return text


def version_text(context: Context, payload: int) -> VersionText:
    """The generated file of an inode number."""
    version_id, which = inode.unpack_pair(payload, inode.WHICH_BITS)
    if which not in _VERSION_TEXTS:
        raise stale(payload)
    return VersionText(context, context.version(version_id), which)


def _info(context: Context, version: Version) -> Text:
    (info,) = versions(context.catalog, [version])
    return Text(_path(version, "info.json"), json_text(info), version.created_us * 1000)


def _metadata(context: Context, version: Version) -> Text:
    rows = context.catalog.metadata.rows(version.id)
    changed_us = max((row.created_us for row in rows), default=version.created_us)
    content = json_text({row.key: row.value for row in rows})
    return Text(_path(version, "metadata.json"), content, changed_us * 1000)


def _tags(context: Context, version: Version) -> Text:
    content = "".join(f"{tag}\n" for tag in context.catalog.tags.of_version(version.id)).encode()
    return Text(_path(version, "tags"), content, version.created_us * 1000)


def _manifest(context: Context, version: Version) -> bytes:
    manifest = {
        "artifact": version.artifact,
        "version": version.name,
        "id": version.uuid,
        "digest": format_digest(version.digest),
        "mode": f"{version.mode:04o}",
        "mtime_ns": version.mtime_ns,
        "files": version.files,
        "bytes": version.bytes,
    }
    entries = (_manifest_entry(path, row, digest) for path, row, digest in _walk(context, version))
    return json_with_rows(manifest, "entries", entries)


def _manifest_entry(path: bytes, row: EntryRow, digest: Digest | None) -> Mapping[str, object]:
    """Bytes of a name that are not UTF-8 appear as `\\udc80` to `\\udcff`, as `os.fsdecode` makes them."""
    described: dict[str, object] = {
        "path": os.fsdecode(path),
        "kind": EntryKind(row.kind).name.lower(),
        "mode": f"{row.mode:04o}",
        "mtime_ns": row.mtime_ns,
    }
    if row.kind == EntryKind.SYMLINK:
        described["target"] = os.fsdecode(row.target or b"")
    else:
        described["size"] = row.size
        described["digest"] = format_digest(digest) if digest is not None else None
    return described


def _b3sums(context: Context, version: Version) -> bytes:
    return b3sums(
        (path, digest)
        for path, row, digest in _walk(context, version)
        if row.kind == EntryKind.FILE and digest is not None
    )


def _walk(context: Context, version: Version) -> Iterator[tuple[bytes, EntryRow, Digest | None]]:
    """Every path of a version with its entry, and with its digest if that is known."""
    assert version.tree_id is not None, "only purged versions have no tree"
    # Only data registered in place can be without a digest of its content.
    may_lack_digests = version.save_type == ArtifactSaveType.PREEXISTING
    for path, row in context.catalog.trees.walk(version.tree_id):
        lacks = may_lack_digests and row.blob_id is not None and _lacks_digest(context, row.blob_id)
        yield path, row, None if lacks else row.digest


def _lacks_digest(context: Context, blob_id: int) -> bool:
    blob = context.catalog.blobs.by_id(blob_id)
    return blob is None or blob.kind == IDENTITY


def _path(version: Version, name: str) -> bytes:
    return f"/artifacts/{version.uuid}/.artfs/{name}".encode()


_MANIFEST: Final = 1
_B3SUMS: Final = 2

_VERSION_TEXTS: Final[Mapping[int, Callable[[Context, Version], bytes]]] = {_MANIFEST: _manifest, _B3SUMS: _b3sums}

_ENTRIES: Final[Mapping[bytes, Callable[[Context, Version], TreeNode]]] = {
    b"info.json": _info,
    b"metadata.json": _metadata,
    b"tags": _tags,
    b"manifest.json": lambda context, version: VersionText(context, version, _MANIFEST),
    b"B3SUMS": lambda context, version: VersionText(context, version, _B3SUMS),
    b"visualizations": lambda context, version: VisualizationsDirectory(context, version),
    b"lineage.svg": lambda context, version: lineage_picture(context, version.id, version.created_us),
}
