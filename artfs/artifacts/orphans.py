"""The folders of versions in stores: of those that came to be, those that never did, and those that no catalog knows.

    orphan      bears this home's claim, has no manifest, and no catalog knows it: what a dead process left
    unlisted    has a manifest, though the catalog does not know the version: an older catalog was restored. It stays
    foreign     bears no claim of this home: it is the user's, or another home's

What is being made is an orphan too, but somebody claims it just now.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import re
import uuid as uuids
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from artfs.content.digest import Digest
from artfs.content.long_paths import lstat
from artfs.errors import ManifestInvalid, OutsideStore
from artfs.stages import stages
from artfs.stores.local.store import LocalStore

if TYPE_CHECKING:
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.versions import Version
    from artfs.stores.base import Store
    from artfs.workspace.workspace import Workspace

logger = logging.getLogger(__name__)

_BESIDE = ".visualizations"
"""What the name of a folder ends with in which an earlier release kept those of a version."""
_FOLDER = re.compile(rf"([0-9a-f]{{32}})(?:{re.escape(_BESIDE)})?")
_AT_ONCE = 500


def orphans(store: LocalStore, catalog: Catalog) -> Iterator[tuple[str, bytes]]:
    """Yield (uuid, folder in the store) of what was placed for versions that never came to be.

    Some of what is found may just be coming to be: `remove_orphan` tells that from what a crash left.
    """
    for uuid, folder, version in folders(store, catalog):
        if version is None and _is_orphan(store, catalog, uuid, folder):
            yield uuid, folder


def unlisted(store: LocalStore, catalog: Catalog) -> Iterator[tuple[str, bytes]]:
    """Yield (uuid, folder in the store) of versions that have a manifest, and that the catalog does not know."""
    for uuid, folder, version in folders(store, catalog):
        if version is None and has_manifest(store, folder):
            yield uuid, folder


def folders(store: LocalStore, catalog: Catalog) -> Iterator[tuple[str, bytes, Version | None]]:
    """Yield uuid, folder in the store and version of all that artfs placed for versions; None if it knows none."""
    found = version_folders(store)
    while part := list(islice(found, _AT_ONCE)):
        versions = catalog.versions.by_uuids({uuid for uuid, _ in part})
        for uuid, folder in part:
            version = versions.get(uuid)
            # A user's own folder may be called like that, too.
            if version is not None or store.has_claimed(folder) or has_manifest(store, folder):
                yield uuid, folder, version


def version_folders(store: LocalStore) -> Iterator[tuple[str, bytes]]:
    """Yield (uuid, folder in the store) of all that is called like the folder of a version."""
    if not store.isdir(store.root):
        return
    for artifact in store.listdir(store.root):
        for name in _names_in(store, artifact):
            if (found := _FOLDER.fullmatch(name)) and _is_folder(store, f"{artifact}/{name}"):
                yield str(uuids.UUID(found[1])), os.fsencode(f"{artifact}/{name}")


def has_manifest(store: LocalStore, folder: bytes) -> bool:
    """Whether a folder has the manifest of a version, or its tombstone; or what cannot be seen not to be one."""
    try:
        file = store.manifest_files.open(folder)
    except (ManifestInvalid, PermissionError):
        return True
    if file is not None:
        file.close()
    return file is not None


def remove_unborn(store: LocalStore, catalog: Catalog, uuid: str, folder: bytes) -> bool:
    """Remove the folder of a version if that never came to be and nobody is making it; answer whether it was removed.

    Nothing is removed that has a manifest, that this home has not claimed, or whose bytes somebody needs.
    """
    is_orphan = functools.partial(_is_orphan, store, catalog, uuid, folder)
    if not is_orphan():
        return False
    stages.reached("orphaned")
    return store.remove_unclaimed(folder, is_orphan)


def remove_attempt(store: Store, catalog: Catalog, uuid: str, folder: bytes) -> None:
    """Remove what was brought for a version that did not come to be, by whoever has just tried to make it."""
    if isinstance(store, LocalStore):
        remove_unborn(store, catalog, uuid, folder)
        return
    if catalog.versions.by_uuid(uuid) is not None:
        return
    try:
        for place in list(store.places(folder)):
            store.delete(place)
    except OSError as error:
        # What went wrong before is what the caller has to hear.
        logger.warning("the artifact store '%s' keeps what no version needs below %r: %s", store.name, folder, error)


def remove_orphan(store: LocalStore, catalog: Catalog, uuid: str) -> bool:
    """Remove what was placed for a version that never came to be; answer whether there was anything."""
    removed = [remove_unborn(store, catalog, uuid, folder) for folder in _folders_of(store, uuid)]
    return any(removed)


def remove_orphan_anywhere(workspace: Workspace, uuid: str) -> bool:
    """Remove what an attempt to seal left in any store of this machine; answer whether there was anything."""
    removed = [remove_orphan(store, workspace.catalog, uuid) for store in workspace.stores.local()]
    return any(removed)


def inodes_of(workspace: Workspace, version: Version) -> dict[int, Digest]:
    """Return the inode numbers of the files that this machine's stores hold under a version's own directory.

    Also for a tombstone: other versions may go on using its files.
    """
    found: dict[int, Digest] = {}
    for store in workspace.stores.local():
        found.update(_inodes_in(store, workspace.catalog, version))
    return found


def placed_inodes(workspace: Workspace, uuid: str) -> set[int]:
    """Return the inode numbers of all files under the directories of a version that the catalog need not know."""
    found: set[int] = set()
    for store in workspace.stores.local():
        for folder in _folders_of(store, uuid):
            for at in store.places(folder):
                with contextlib.suppress(FileNotFoundError):
                    found.add(lstat(store.place_path(at)).st_ino)
    return found


def protect(workspace: Workspace, version: Version) -> None:
    """Make the files under a version's own directory those of this process's user, which nobody may write.

    For files that somebody else wrote, and that a store has taken as they were. Where a disk does not let it, that is
    logged: the version is there all the same.
    """
    for store in workspace.stores.local():
        try:
            # Under its artifact's name, unless that was renamed since: to look at all artifacts takes long.
            for folder in list(_folders_in(store, version.artifact, version.uuid)) or _folders_of(store, version.uuid):
                store.protect(list(store.places(folder)))
        except OSError as error:
            logger.warning("files in '%s' stay those of whoever wrote them: %s", store.root, error)


def _inodes_in(store: LocalStore, catalog: Catalog, version: Version) -> dict[int, Digest]:
    """The inode numbers of what one store holds, with its digests."""
    assert store.id is not None
    found: dict[int, Digest] = {}
    root = os.fsencode(store.root)
    for folder in _folders_of(store, version.uuid):
        for at, blob in catalog.blobs.at(store.id, list(store.places(folder))).items():
            with contextlib.suppress(FileNotFoundError):
                found[lstat(os.path.join(root, at)).st_ino] = blob.digest
    return found


def _names_in(store: LocalStore, artifact: str) -> list[str]:
    """What is in an artifact's directory; nothing if it is none, or is removed by somebody just now."""
    try:
        return store.listdir(artifact) if _is_folder(store, artifact) else []
    except (FileNotFoundError, PermissionError):
        return []


def _is_folder(store: LocalStore, path: str) -> bool:
    """Whether a directory is there. A link that leads out of the store is the user's, and not looked behind."""
    try:
        return store.isdir(path)
    except OutsideStore:
        return False


def _is_orphan(store: LocalStore, catalog: Catalog, uuid: str, folder: bytes) -> bool:
    """Whether nobody needs a folder, unless somebody claims it just now."""
    return (
        (store.has_claimed(folder) or folder.endswith(os.fsencode(_BESIDE)))
        and catalog.versions.by_uuid(uuid) is None
        and not has_manifest(store, folder)
        # A draft has found its bytes there, see `artifacts.unlisted`.
        and (store.id is None or not catalog.blobs.any_below(store.id, folder))
    )


def _folders_of(store: LocalStore, uuid: str) -> Iterator[bytes]:
    for artifact in store.listdir(store.root) if store.isdir(store.root) else ():
        yield from _folders_in(store, artifact, uuid)


def _folders_in(store: LocalStore, artifact: str, uuid: str) -> Iterator[bytes]:
    own = uuids.UUID(uuid).hex
    for name in (own, own + _BESIDE):
        if _is_folder(store, f"{artifact}/{name}"):
            yield os.fsencode(f"{artifact}/{name}")
