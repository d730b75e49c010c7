"""Versions are removed: first from the catalog, in one transaction, and only then their bytes.

What a kill leaves are bytes that the catalog no longer counts, never a version without its bytes. Each removed version
leaves a tombstone, so that lineage and the history of numbers stay true. The bytes of data registered in place are the
user's, and stay.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from artfs.artifacts.lookup import shown_name
from artfs.artifacts.standing import drop_view
from artfs.errors import InvalidValue

if TYPE_CHECKING:
    from artfs.catalog.artifacts import Artifact
    from artfs.catalog.blobs import BlobPlace
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.versions import Version
    from artfs.workspace import Workspace

logger = logging.getLogger(__name__)


def delete_version(workspace: Workspace, version: Version, *, force: bool = False) -> None:
    """Remove a version.

    Args:
        workspace: where it is.
        version: what to remove.
        force: also when a run made or read it; the run then shows that it was removed.

    Raises:
        InvalidValue: a run uses it, or it is pinned; nothing was changed.
        VersionNotFound: it was removed already.
    """
    _check_unused(workspace, [version], force=force)
    purge(workspace, [version], "deleted")


def delete_artifact(workspace: Workspace, artifact: Artifact, *, force: bool = False) -> None:
    """Remove an artifact with all its versions; arguments and errors are as for `delete_version`."""
    catalog = workspace.catalog
    with catalog.transaction():
        versions = catalog.versions.list(artifact.id)
        _check_unused(workspace, versions, force=force)
        freed = _purge_rows(workspace, versions, "deleted with its artifact")
        catalog.artifacts.delete(artifact.id)
    _remove_bytes(workspace, versions, freed)


def purge(workspace: Workspace, versions: Sequence[Version], reason: str) -> int:
    """Turn versions into tombstones, remove the bytes that nothing needs any more, and return how many those were.

    Args:
        workspace: where they are.
        versions: what to remove, all of them or none.
        reason: what their tombstones say.

    Raises:
        InvalidValue: one of them is pinned.
        VersionNotFound: one of them was removed already.
    """
    with workspace.catalog.transaction():
        freed = _purge_rows(workspace, versions, reason)
    _remove_bytes(workspace, versions, freed)
    return freed.bytes


class _Freed:
    """What is to be removed once the transaction is through."""

    def __init__(self) -> None:
        self.bytes = 0
        self.places: list[BlobPlace] = []
        self.visualizations: list[tuple[int, bytes]] = []


def _purge_rows(workspace: Workspace, versions: Sequence[Version], reason: str) -> _Freed:
    catalog, freed = workspace.catalog, _Freed()
    with catalog.transaction():
        blobs = catalog.blobs.freed_by([version.id for version in versions])
        user = catalog.users.ensure(workspace.user)
        for version in versions:
            catalog.versions.purge(version.id, reason)
            freed.visualizations += _own_visualizations(catalog, version)
            catalog.audit.append("version.purge", shown_name(version), {"reason": reason}, user.id)
        catalog.trees.remove_unneeded({version.tree_id for version in versions if version.tree_id is not None})
        freed.places = catalog.blobs.drop_places([blob.id for blob in blobs])
        dropped = {place.blob_id for place in freed.places}
        freed.bytes = sum(blob.size for blob in blobs if blob.id in dropped)
    return freed


def _own_visualizations(catalog: Catalog, version: Version) -> list[tuple[int, bytes]]:
    """Forget a version's visualizations, and return where those lie that are not files of versions too."""
    paths = [row.path for row in catalog.visualizations.remove(version.id)]
    if version.store_id is None or not paths:
        return []
    shared = catalog.blobs.owned_paths(version.store_id, paths) | catalog.visualizations.known_paths(paths)
    return [(version.store_id, path) for path in paths if path not in shared]


def _remove_bytes(workspace: Workspace, versions: Sequence[Version], freed: _Freed) -> None:
    """Remove files. One that cannot be removed now is left to the next collection of garbage."""
    removed = [
        place.id
        for place in freed.places
        if place.store_id is not None and _remove_place(workspace, place.store_id, place.path)
    ]
    workspace.catalog.blobs.forget_places(removed)
    for store_id, path in freed.visualizations:
        _remove_place(workspace, store_id, path)
    for version in versions:
        drop_view(workspace, version.uuid)


def _remove_place(workspace: Workspace, store_id: int, path: bytes) -> bool:
    store = workspace.stores.by_id(store_id)
    try:
        store.remove_place(path)
    except OSError as error:
        logger.warning("could not remove '%s' yet: %s; 'artfs gc' tries again", store.place_path(path), error)
        return False
    return True


def _check_unused(workspace: Workspace, versions: Sequence[Version], *, force: bool) -> None:
    if force:
        return
    for version in versions:
        if version.producer_id is not None or workspace.catalog.lineage.consumers(version.id):
            raise InvalidValue(
                f"version {shown_name(version)} is used by a run: delete the run first, or force it",
                subject=shown_name(version),
            )
