"""Contents that lie in a store, though the catalog does not know them: an older catalog was restored.

Working copies of mounts stand for contents by digest. What the restored catalog does not know of those is looked for in
the directories of versions that it does not know either, and written down, so that drafts read on and no collection
of garbage takes what they need. (Whole versions come back with their manifests, not here.)
"""

from __future__ import annotations

import logging
import stat
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from artfs.artifacts.orphans import folders
from artfs.catalog.blobs import Place
from artfs.content.digest import Digest, FileDigest, hash_file
from artfs.content.long_paths import lstat

if TYPE_CHECKING:
    from artfs.stores.local.store import LocalStore
    from artfs.workspace.workspace import Workspace

logger = logging.getLogger(__name__)


def find_contents(workspace: Workspace, digests: Collection[Digest], sizes: Collection[int]) -> set[Digest]:
    """Look for contents in the local stores, let the catalog know those that are there, and return the others.

    Args:
        workspace: whose stores are looked at.
        digests: of the contents that the catalog does not know.
        sizes: how many bytes they may have; only files of such a size are read.
    """
    missing = set(digests)
    for store in workspace.stores.local():
        if not missing:
            break
        for place, file in _files_of(workspace, store, set(sizes)):
            if file.digest not in missing:
                continue
            with workspace.catalog.transaction():
                workspace.catalog.blobs.insert(
                    {file.digest: file}, {file.digest: Place(place, store.id)}, in_place=False
                )
            logger.warning("found the bytes that a draft needs at '%s'", store.place_path(place))
            missing.discard(file.digest)
    return missing


def _files_of(workspace: Workspace, store: LocalStore, sizes: set[int]) -> Iterator[tuple[bytes, FileDigest]]:
    """Yield place and digest of the files in directories of versions that the catalog does not know."""
    for _, folder, version in folders(store, workspace.catalog):
        if version is not None:
            continue
        for place in store.places(folder):
            path = store.place_path(place)
            status = lstat(path)
            if stat.S_ISREG(status.st_mode) and status.st_size in sizes:
                yield place, hash_file(path)
