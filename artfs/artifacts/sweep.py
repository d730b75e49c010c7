"""How versions and bytes go, for all verbs that remove: rows first, in one transaction, and bytes last.

    tombstones    versions become tombstones: their name, number, digest, totals and lineage stay
    bury          and so do their manifests
    sweep         the bytes that nothing needs any more are marked in the catalog, then removed, then forgotten

A kill leaves bytes that the catalog no longer counts, which `gc` finds, and never a version without its bytes. What was
registered in place is only forgotten: those bytes are the user's.

Bytes are needed by versions, by visualizations, and by the working copies of mounts: a draft that became a version
stays as stubs, which have no bytes of their own. Sweeping looks for stubs inside the transaction that gives bytes up,
and whoever makes stubs asks, in a transaction after they are made, whether the bytes are still there. So either the
stubs are seen here, or it is seen there that the bytes are gone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from artfs.artifacts.checkout import drop_view
from artfs.artifacts.tombstones import Loose
from artfs.artifacts.visualize import page_path
from artfs.blobs import pieces
from artfs.content.stubs import digests_below
from artfs.errors import ArtfsError
from artfs.stages import stages

if TYPE_CHECKING:
    from artfs.catalog.blobs import BlobPlace
    from artfs.workspace.workspace import Workspace

Advance = Callable[[int], None]

_AT_ONCE = 10_000
"""How many blobs one transaction gives up."""


@dataclass
class Swept:
    """What a sweep did.

    Args:
        files, bytes: how much was removed, or was handed over to the user.
        kept_files, kept_bytes: what drafts still need.
        errors: what could not be removed, and why; the next collection of garbage tries again.
    """

    files: int = 0
    bytes: int = 0
    kept_files: int = 0
    kept_bytes: int = 0
    errors: list[str] = field(default_factory=list)


def sweep(
    workspace: Workspace, loose: Loose, *, hand_over: bool = False, advance: Advance = lambda done: None
) -> Swept:
    """Remove the bytes that nothing needs any more.

    Args:
        workspace: where they are.
        loose: where to look; what is needed (again) is left alone.
        hand_over: leave the files of versions where they are, as the user's own from now on.
        advance: called with the number of contents that were dealt with since the last call.
    """
    if hand_over:
        # The catalog is about to forget what it keeps of files that are not synced yet.
        workspace.syncing.try_to_sync()
    swept, pending = Swept(), sorted(loose.blobs)
    try:
        # First: where there is a manifest of a version, its bytes are there too.
        workspace.manifests.bury(loose.versions)
    except (OSError, ArtfsError) as error:
        swept.errors.append(f"a manifest could not be replaced yet: {error}; 'artfs gc' tries again")
    stages.reached("buried")
    for start in range(0, len(pending), _AT_ONCE):
        part = pending[start : start + _AT_ONCE]
        remove_places(workspace, give_up(workspace, part, swept, hand_over=hand_over), swept)
        advance(len(part))
    for uuid in loose.versions:
        drop_copies(workspace, uuid)
    return swept


def give_up(
    workspace: Workspace, blob_ids: Collection[int], swept: Swept, *, hand_over: bool = False
) -> list[BlobPlace]:
    """Mark the places of blobs that nothing needs as gone, and return them; their bytes are removed after the commit.

    Args:
        workspace: where they are.
        blob_ids: the blobs; those that are needed are left alone.
        swept: told what drafts still need, and what was handed over.
        hand_over: let the bytes be the user's own instead.
    """
    catalog = workspace.catalog
    with catalog.transaction():
        unneeded = catalog.blobs.unneeded_places(blob_ids)
        try:
            held = held_by_drafts(workspace) if unneeded else set()
        except OSError as error:
            swept.errors.append(f"drafts may need the bytes: {error.filename}: {error.strerror}; nothing was removed")
            return []
        kept = {place.blob_id: _size(workspace, place) for place in unneeded if place.blob_id in held}
        swept.kept_files += len(kept)
        swept.kept_bytes += sum(kept.values())
        given_up = set(blob_ids) - held
        if hand_over:
            released = catalog.blobs.release_places(given_up)
            for place in released:
                _remove_lists(workspace, place, swept)
            swept.files += len(released)
            swept.bytes += sum(_size(workspace, place) for place in released)
        dropped = catalog.blobs.drop_places(given_up)
        catalog.blobs.forget(given_up)
    return dropped


def remove_places(workspace: Workspace, places: Sequence[BlobPlace], swept: Swept) -> None:
    """Remove the bytes at places that are gone, and forget the places."""
    removed = []
    for place in places:
        size = _size(workspace, place)
        _remove_lists(workspace, place, swept)
        if place.store_id is None or _is_removed(workspace, place.store_id, place.path, swept):
            removed.append(place.id)
            swept.files += 1
            swept.bytes += size
    stages.reached("swept")
    workspace.catalog.blobs.forget_places(removed)


def held_by_drafts(workspace: Workspace) -> set[int]:
    """Return the ids of the blobs that working copies of this home's mounts stand for, or are about to.

    Raises OSError where that cannot be told.
    """
    areas = [os.fsencode(area) for area in workspace.home.mounts.glob("*")]
    digests = digests_below(os.path.join(area, part) for area in areas for part in (b"scratch", b"work"))
    return {known.blob_id for known in workspace.catalog.blobs.known(digests).values()}


def drop_copies(workspace: Workspace, version_uuid: str) -> None:
    """Remove what was made of a version to read it: its view, which keeps bytes alive, and its page."""
    drop_view(workspace, version_uuid)
    page_path(workspace, version_uuid).unlink(missing_ok=True)


def _size(workspace: Workspace, place: BlobPlace) -> int:
    blob = workspace.catalog.blobs.by_id(place.blob_id)
    return blob.size if blob is not None else 0


def _remove_lists(workspace: Workspace, place: BlobPlace, swept: Swept) -> None:
    """Remove the lists of pieces that lie beside a place whose bytes go, or become the user's."""
    blob = workspace.catalog.blobs.by_id(place.blob_id)
    if blob is None or blob.pieces is None or place.store_id is None:
        return
    if (lists := pieces.place_of(place.path, blob.digest)) is not None:
        _is_removed(workspace, place.store_id, lists, swept)


def _is_removed(workspace: Workspace, store_id: int, path: bytes, swept: Swept) -> bool:
    """Remove what lies at a place; what cannot be removed now is left to the next collection of garbage."""
    try:
        store = workspace.stores.by_id(store_id)
        workspace.stores.check_own(store)
        store.delete(path)
    except (OSError, ArtfsError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        swept.errors.append(f"'{os.fsdecode(path)}' could not be removed yet: {why}; 'artfs gc' tries again")
        return False
    return True
