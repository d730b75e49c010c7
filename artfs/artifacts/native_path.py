"""A local directory of a version, for programs that read it at the speed of the disk."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

from artfs.artifacts.checkout import checkout
from artfs.artifacts.lookup import told_if_removed
from artfs.errors import ArtfsError
from artfs.scopes import step_scope

if TYPE_CHECKING:
    from artfs.catalog.versions import Version
    from artfs.workspace.workspace import Workspace


def native_path(workspace: Workspace, version: Version) -> Path:
    """Return a directory that holds the files of a version and nothing else, after comparing each with its digest.

    It stays for as long as the version does. The files may be the store's or the user's own: read them, and never
    write to them.

    Raises:
        VersionNotFound: the version was removed.
        DigestMismatch, PlaceChanged: a file is not what was stored; the line names it.
        StoreError: the bytes of a file are nowhere, or in a store that cannot be used now.
    """
    with told_if_removed(workspace.catalog, version, "checked out"):
        directory = _directory(workspace, version)
    if (scope := step_scope.get()) is not None:
        scope.loaded(version)
    return directory


def _directory(workspace: Workspace, version: Version) -> Path:
    try:
        return checkout(workspace, version, lasting=True)
    except OSError as error:
        if isinstance(error, ArtfsError) or error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise
    # A home that cannot be written has no room for links, and the store's own folder has a manifest beside the files.
    return checkout(workspace, version, alone=False)
