"""What was placed for versions that never came to be, and what was placed for those that did."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import re
import uuid as uuids
from collections.abc import Iterator
from typing import TYPE_CHECKING

from artfs.artifacts import shown
from artfs.content.digest import Digest
from artfs.content.long_paths import lstat
from artfs.stores.local import LocalStore

if TYPE_CHECKING:
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.versions import Version
    from artfs.stores.base import Store
    from artfs.workspace import Workspace

logger = logging.getLogger(__name__)

_OWN_DIRECTORY = re.compile(rf"([0-9a-f]{{32}})(?:{re.escape(shown.SUFFIX)})?")


def orphans(store: LocalStore, catalog: Catalog) -> Iterator[tuple[str, bytes]]:
    """Yield (uuid, directory in the store) of what was placed for versions that the catalog does not know.

    Visualizations of a tombstone are among them: nobody else uses those. Some of what is found may just be coming to
    be: `remove_orphan` tells that from what a crash left.
    """
    for uuid, directory in version_directories(store):
        if _is_orphan(store, catalog, uuid, directory):
            yield uuid, directory


def version_directories(store: LocalStore) -> Iterator[tuple[str, bytes]]:
    """Yield (uuid, directory in the store) of all that artfs placed for versions, whether they came to be or not."""
    if not store.isdir(store.root):
        return
    for artifact in store.listdir(store.root):
        for name in _names_in(store, artifact):
            found = _OWN_DIRECTORY.fullmatch(name)
            directory = os.fsencode(f"{artifact}/{name}")
            # A user's own folder may be called like that, too.
            if found and (name.endswith(shown.SUFFIX) or store.was_claimed(directory)):
                yield str(uuids.UUID(found[1])), directory


def remove_orphan(store: LocalStore, catalog: Catalog, uuid: str) -> bool:
    """Remove what was placed for a version that never came to be; answer whether there was anything.

    Nothing is removed while somebody is making that version, or when the catalog knows it, be it as a tombstone: then
    other versions may share its bytes, though not its visualizations.
    """

    # Files before visualizations, which are needed as long as somebody claims the files.
    removed = [
        store.remove_unclaimed(directory, functools.partial(_is_orphan, store, catalog, uuid, directory))
        for directory in _directories_of(store, uuid)
        if _is_orphan(store, catalog, uuid, directory)
    ]
    return any(removed)


def remove_attempt(store: Store, catalog: Catalog, artifact: str, uuid: str) -> None:
    """Remove what was placed for a version that did not come to be, by whoever has just tried to make it."""
    if isinstance(store, LocalStore):
        remove_orphan(store, catalog, uuid)
        return
    if catalog.versions.by_uuid(uuid) is not None:
        return
    own = f"{artifact}/{uuids.UUID(uuid).hex}"
    try:
        for directory in (own, own + shown.SUFFIX):
            for place in list(store.places(os.fsencode(directory))):
                store.delete(place)
    except OSError as error:
        # What went wrong before is what the caller has to hear.
        logger.warning("the artifact store '%s' keeps what no version needs below '%s': %s", store.name, own, error)


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
        for directory in _directories_of(store, uuid):
            for at in store.places(directory):
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
            for directory in _directories_of(store, version.uuid):
                store.protect(list(store.places(directory)))
        except OSError as error:
            logger.warning("files in '%s' stay those of whoever wrote them: %s", store.root, error)


def _inodes_in(store: LocalStore, catalog: Catalog, version: Version) -> dict[int, Digest]:
    """The inode numbers of what one store holds, with its digests."""
    assert store.id is not None
    found: dict[int, Digest] = {}
    root = os.fsencode(store.root)
    for directory in _directories_of(store, version.uuid):
        for at, blob in catalog.blobs.at(store.id, list(store.places(directory))).items():
            with contextlib.suppress(FileNotFoundError):
                found[lstat(os.path.join(root, at)).st_ino] = blob.digest
    return found


def _names_in(store: LocalStore, artifact: str) -> list[str]:
    """What is in an artifact's directory; nothing if it is none, or is removed by somebody just now."""
    try:
        return store.listdir(artifact) if store.isdir(artifact) else []
    except FileNotFoundError:
        return []


def _is_orphan(store: LocalStore, catalog: Catalog, uuid: str, directory: bytes) -> bool:
    """Whether nobody needs a directory of the version with that id, unless somebody claims it."""
    own = directory.removesuffix(shown.SUFFIX.encode())
    version = catalog.versions.by_uuid(uuid)
    if version is not None:
        return version.tree_id is None and own != directory
    if store.id is not None and catalog.blobs.any_below(store.id, directory):
        return False  # a draft has found its bytes there, see `artifacts.unlisted`
    # Whoever claims files that are being written claims the visualizations beside them.
    return own == directory or not store.isdir(own)


def _directories_of(store: LocalStore, uuid: str) -> Iterator[bytes]:
    own = uuids.UUID(uuid).hex
    for artifact in store.listdir(store.root) if store.isdir(store.root) else ():
        for name in (own, own + shown.SUFFIX):
            if store.isdir(f"{artifact}/{name}"):
                yield os.fsencode(f"{artifact}/{name}")
