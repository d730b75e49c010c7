"""Bytes that nothing accounts for any more are found and removed.

Where they come from: a process that was killed while it made or removed a version, bytes that a draft needed when their
version was removed, a store that could not remove a file when it was told to.

In stores only folders go that this home has claimed, without a manifest, older than 7 days and held by nobody: whoever
places bytes holds their folder until the rows are there, and lets go of it with his process. Everything here may be
killed at any moment, and run by several processes at once.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from artfs.artifacts.orphans import folders, has_manifest, remove_orphan
from artfs.artifacts.sweep import Swept, drop_copies, give_up, remove_places
from artfs.blobs import pieces
from artfs.catalog.blobs import BlobPlace
from artfs.catalog.version_rows import LIVE, PURGED
from artfs.content.files import walk_files
from artfs.content.long_paths import lstat
from artfs.errors import ArtfsError
from artfs.home.older_catalog import check_not_older
from artfs.stores.local.store import LocalStore

if TYPE_CHECKING:
    from artfs.catalog.versions import Version
    from artfs.workspace.workspace import Workspace

Tell = Callable[[str], None]

_AT_ONCE = 10_000
MIN_AGE_SECONDS = 7 * 86400.0
"""Of what a dead process left; what is younger may be somebody's work in ways that cannot be seen from here."""


@dataclass
class Garbage:
    """What a collection found, and removed unless it was only to look.

    Args:
        files, bytes: contents in stores that no version needs.
        directories: of versions that never came to be, and their bytes in `directory_bytes`.
        young: how many such directories stay, as they are younger than 7 days.
        unlisted: directories of versions that have a manifest, and that the catalog does not know: they stay.
        views: how many copies made for reading belong to versions that were removed.
        kept_files, kept_bytes: what no version needs, but drafts in a mount do.
        errors: what could not be removed, and why.
    """

    files: int = 0
    bytes: int = 0
    directories: list[str] = field(default_factory=list)
    directory_bytes: int = 0
    young: int = 0
    unlisted: list[str] = field(default_factory=list)
    views: int = 0
    kept_files: int = 0
    kept_bytes: int = 0
    errors: list[str] = field(default_factory=list)


def gc(workspace: Workspace, *, dry_run: bool = False, tell: Tell = lambda text: None) -> Garbage:
    """Find what nothing accounts for, remove it, and return what it was.

    Args:
        workspace: where to look.
        dry_run: only look.
        tell: called with what is being done.

    Raises:
        OlderCatalog: the catalog does not know all versions that are in its stores.
    """
    workspace.home.check_writable()
    check_not_older(workspace.catalog, workspace.stores)
    found = Garbage()
    if not dry_run:
        tell("small files that are not synced yet")
        workspace.syncing.try_to_sync()
    tell("contents that no version needs")
    _collect_contents(workspace, found, dry_run=dry_run)
    if not dry_run:
        tell("versions without a manifest")
        _describe_all(workspace, found)
    for store in workspace.stores.local():
        tell(f"versions in {store.root} that never came to be")
        _collect_folders(workspace, store, found, dry_run=dry_run)
    tell("what is left in the cache")
    cache = LocalStore(str(workspace.home.cache))
    cache.share(workspace.home.sharing, workspace.home.identity)
    try:
        _collect_folders(workspace, cache, found, dry_run=dry_run)
    finally:
        cache.close()
    _collect_views(workspace, found, dry_run=dry_run)
    if not dry_run:
        pieces.collect_in_place(workspace.home, workspace.catalog)
    return found


class _OnlyLooked(Exception):
    """Undoes a transaction that was only to look."""


def _collect_contents(workspace: Workspace, found: Garbage, *, dry_run: bool) -> None:
    """Remove contents that no version needs, and those that somebody was killed while removing."""
    swept = Swept()
    if dry_run:
        catalog = workspace.catalog
        try:
            with catalog.transaction():
                _give_up_orphans(workspace, swept)
                for place in _gone(workspace):
                    blob = catalog.blobs.by_id(place.blob_id)
                    swept.files += 1
                    swept.bytes += blob.size if blob is not None else 0
                raise _OnlyLooked
        except _OnlyLooked:
            pass
    else:
        _give_up_orphans(workspace, swept)
        for place in _gone(workspace):
            remove_places(workspace, [place], swept)
    found.files, found.bytes = swept.files, swept.bytes
    found.kept_files, found.kept_bytes, found.errors = swept.kept_files, swept.kept_bytes, swept.errors


def _give_up_orphans(workspace: Workspace, swept: Swept) -> None:
    blobs = workspace.catalog.blobs
    workspace.catalog.trees.collect()
    after = 0
    while orphans := blobs.orphans(after=after, limit=_AT_ONCE):
        after = orphans[-1].id
        give_up(workspace, [blob.id for blob in orphans], swept)


def _gone(workspace: Workspace) -> Iterator[BlobPlace]:
    after = 0
    while places := workspace.catalog.blobs.gone_places(after=after):
        after = places[-1].id
        yield from places


def _collect_folders(workspace: Workspace, store: LocalStore, found: Garbage, *, dry_run: bool) -> None:
    """Remove the folders of versions that never came to be, and put right the manifests of those that did."""
    try:
        workspace.stores.check_own(store)
    except OSError as error:
        found.errors.append(f"{error}; nothing was removed there")
        return
    unborn: dict[str, list[bytes]] = {}
    wrong: list[Version] = []
    for uuid, folder, version in folders(store, workspace.catalog):
        if version is not None:
            if not dry_run and store.id == version.folder_store_id and folder == version.folder:
                wrong += [version] if _has_wrong_manifest(workspace, store, version) else []
        elif has_manifest(store, folder):
            found.unlisted.append(store.place_path(folder))
        else:
            unborn.setdefault(uuid, []).append(folder)
    _collect_unborn(workspace, store, unborn, found, dry_run=dry_run)
    try:
        workspace.manifests.bury([version.uuid for version in wrong if version.state == PURGED])
    except (ArtfsError, OSError) as error:
        found.errors.append(f"a manifest could not be replaced: {error}")
    workspace.manifests.write([version for version in wrong if version.state != PURGED])


def _collect_unborn(
    workspace: Workspace, store: LocalStore, unborn: Mapping[str, Sequence[bytes]], found: Garbage, *, dry_run: bool
) -> None:
    for uuid, folders_of_it in unborn.items():
        paths = [store.place_path(folder) for folder in folders_of_it]
        # Somebody may have registered what a dead process left: then it is his.
        if any(workspace.catalog.blobs.registered_below(os.fsencode(os.path.realpath(path))) for path in paths):
            continue
        if not all(map(_is_old, paths)):
            found.young += 1
            continue
        size = sum(map(_size, paths))
        try:
            if dry_run:
                is_garbage = not any(_is_claimed(store, folder) for folder in folders_of_it)
            else:
                is_garbage = remove_orphan(store, workspace.catalog, uuid)
        except OSError as error:
            found.errors.append(f"'{paths[0]}' could not be removed: {error.strerror or error}")
            continue
        if is_garbage:
            found.directories += paths
            found.directory_bytes += size


def _has_wrong_manifest(workspace: Workspace, store: LocalStore, version: Version) -> bool:
    """Whether a kill left a version without the manifest that it has to have, or a removed one without tombstone."""
    assert version.folder is not None
    found = workspace.manifests.state_of(store, version.folder)
    return found == LIVE if version.state == PURGED else bool(version.manifest) and found is None


def _describe_all(workspace: Workspace, found: Garbage) -> None:
    """Write the manifests that versions are still without."""
    try:
        workspace.manifests.write_missing()
    except (ArtfsError, OSError) as error:
        found.errors.append(f"a manifest could not be written: {error}")


def _is_old(path: str) -> bool:
    """Whether nothing was put into a folder for so long that nobody can be at work there, on no machine."""
    try:
        return time.time() - lstat(path).st_mtime > MIN_AGE_SECONDS
    except FileNotFoundError:
        return False


def _is_claimed(store: LocalStore, directory: bytes) -> bool:
    """Whether somebody is making the version whose directory it is."""
    is_free = False

    def only_look() -> bool:
        nonlocal is_free
        is_free = True
        return False

    store.remove_unclaimed(directory, only_look)
    return not is_free


def _collect_views(workspace: Workspace, found: Garbage, *, dry_run: bool) -> None:
    """Remove what was made for reading versions that are tombstones now."""
    cache, catalog = workspace.home.cache, workspace.catalog
    for path in [*cache.glob("views/*"), *filter(Path.is_file, cache.glob("pages/*.html"))]:
        try:
            version = catalog.versions.by_uuid(str(UUID(path.stem)))
        except ValueError:
            continue
        if len(path.stem) == 36 and (version is None or version.tree_id is None):
            found.views += 1
            if not dry_run:
                drop_copies(workspace, path.stem)


def _size(path: str) -> int:
    """The bytes of all files below a directory that are nowhere else."""
    total = 0
    for file in walk_files(os.fsencode(path), on_error=lambda error: None):  # whoever removes it meets that again
        try:
            status = lstat(file)
        except FileNotFoundError:
            continue
        total += status.st_size if status.st_nlink == 1 else 0
    return total
