"""Whether the bytes of a version are still where the catalog says, without reading them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from artfs.catalog.versions import Version
    from artfs.workspace import Workspace


def bytes_are_there(workspace: Workspace, version: Version) -> bool:
    """Answer whether every file of a version has a place of the right size. Digests are checked when it is read."""
    if version.tree_id is None:
        return False
    checked: set[int] = set()
    for _, entry in workspace.catalog.trees.walk(version.tree_id):
        if entry.blob_id is None or entry.blob_id in checked:
            continue
        checked.add(entry.blob_id)
        if not _is_there(workspace, entry.blob_id, entry.size):
            return False
    return True


def _is_there(workspace: Workspace, blob_id: int, size: int) -> bool:
    for candidate in workspace.blobs.places.of(blob_id):
        try:
            with candidate.open() as reader:
                if reader.size == size:
                    return True
        except OSError:
            continue
    return False
