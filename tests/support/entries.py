"""Entries of content trees, written in few words."""

from __future__ import annotations

from typing import Any

from artfs.content.digest import FileDigest, hash_bytes
from artfs.content.tree import Entry, EntryKind, Tree


def file(content: bytes = b"", *, mode: int = 0o644, mtime_ns: int = 1_700_000_000_123_456_789) -> Entry:
    """A file."""
    return Entry(b"-", EntryKind.FILE, mode, mtime_ns, file=FileDigest(hash_bytes(content), len(content)))


def link(target: bytes, *, mtime_ns: int = 5) -> Entry:
    """A link."""
    return Entry(b"-", EntryKind.SYMLINK, 0o777, mtime_ns, target=target)


def directory(*, mtime_ns: int = 6) -> Entry:
    """A directory whose content is given by the paths below it."""
    return Entry(b"-", EntryKind.DIRECTORY, 0o750, mtime_ns, tree=Tree(()))


def names(node: Any) -> list[bytes]:
    """What `ls -U` of a directory would print."""
    return [name for name, _ in node.entries()]
