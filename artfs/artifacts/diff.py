"""What differs between two versions. What they share is not looked at, however large it is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from artfs.content import diff as content_diff
from artfs.content.tree import EntryKind
from artfs.errors import VersionNotFound

if TYPE_CHECKING:
    from artfs.catalog.trees import EntryRow
    from artfs.catalog.versions import Version
    from artfs.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class PathChange:
    """One path that is not the same in two versions.

    Args:
        path: in the versions; what is not UTF-8 in it is escaped as Python does.
        status: `added`, `removed` or `changed`.
        kind: `file`, `directory` or `link`: what it is now, or was.
        old_size, new_size: bytes before and after; 0 when it was not there.
    """

    path: str
    status: Literal["added", "removed", "changed"]
    kind: Literal["file", "directory", "link"]
    old_size: int
    new_size: int


def diff(workspace: Workspace, old: Version, new: Version) -> Iterator[PathChange]:
    """Yield every path that was added, removed or changed from one version to another, in name order.

    Args:
        workspace: where both are.
        old, new: the versions; they may be of different artifacts.

    Raises:
        VersionNotFound: one of them was removed, and its list of files with it.
    """
    trees = {id(version): _tree_id(workspace, version) for version in (old, new)}

    def children(node: Version | EntryRow) -> Sequence[EntryRow]:
        tree_id = trees[id(node)] if id(node) in trees else cast("EntryRow", node).child_id
        return workspace.catalog.trees.entries(tree_id) if tree_id is not None else ()

    for change in content_diff.diff(old, new, children):
        node = change.new if change.new is not None else change.old
        assert node is not None
        yield PathChange(
            os.fsdecode(change.path),
            cast('Literal["added", "removed", "changed"]', change.status),
            _KINDS[EntryKind(node.kind)],
            change.old_size,
            change.new_size,
        )


_KINDS: dict[EntryKind, Literal["file", "directory", "link"]] = {
    EntryKind.FILE: "file",
    EntryKind.DIRECTORY: "directory",
    EntryKind.SYMLINK: "link",
}


def _tree_id(workspace: Workspace, version: Version) -> int:
    current = workspace.catalog.versions.by_id(version.id)
    if current is None or current.tree_id is None:
        raise VersionNotFound(f"version {version.shown_name} was removed", subject=version.shown_name)
    return current.tree_id
