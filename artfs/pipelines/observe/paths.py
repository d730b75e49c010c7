"""Versions that are read by the paths of their files: in a mount, or where the store keeps them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from uuid import UUID

from artfs.artifacts.lookup import LATEST
from artfs.catalog.versions import Version
from artfs.errors import MountError
from artfs.linux import mounts
from artfs.stores.local.store import local_path
from artfs.workspace.workspace import Workspace

_FOLDER_OF_VERSION = re.compile(r"/([0-9a-f]{32})(?:\.[^/]*)?/")


@dataclass(frozen=True)
class Read:
    """A version that was read.

    Args:
        asked_for: the name that gave it, if that may give another one later.
        is_by_link: whether links of the user's own led there, which may lead elsewhere later.
    """

    version: Version
    asked_for: str | None = None
    is_by_link: bool = False


class PathsOfVersions:
    """Finds out whose files paths are."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._mounts = _mounts_of(workspace)
        roots = (local_path(row.root) for row in workspace.stores.rows())
        self._stores = tuple(os.path.join(os.path.realpath(root), "") for root in roots if root is not None)

    def read(self, path: str, real: str) -> Read | None:
        """The version that a path led to. real: the same without links, as it was when it was opened."""
        if real.startswith(self._stores) and (found := _FOLDER_OF_VERSION.search(real)):
            version = self._workspace.catalog.versions.by_uuid(str(UUID(found[1])))
            return Read(version, is_by_link=path != real) if version is not None else None
        for mount in self._mounts:
            if real.startswith(mount):
                return self._in_mount(path, real.removeprefix(mount).split("/"))
        return None

    def is_in_mount(self, real: str) -> bool:
        """Whether a path without links lies in a mount of the home."""
        return real.startswith(tuple(self._mounts))

    def _in_mount(self, path: str, real: list[str]) -> Read | None:
        if len(real) < 4 or real[0] != "artifacts":
            return None
        artifact = self._workspace.catalog.artifacts.get(real[1])
        version = self._workspace.catalog.versions.get(artifact.id, real[2]) if artifact is not None else None
        if version is None:
            return None
        if not self.is_in_mount(path):
            return Read(version, is_by_link=True)
        way = path.split("/")
        for index, part in enumerate(way[:-1]):
            following = way[index + 1]
            if part == real[1] and (following == LATEST or following.startswith("@")):
                return Read(version, f"{part}/{following}")
        return Read(version)


def _mounts_of(workspace: Workspace) -> list[str]:
    found = []
    for mount in mounts.all_mounts():
        try:
            if mount.is_artfs and mounts.read_status(mount.path).get("home") == str(workspace.home.path):
                found.append(os.path.join(mount.path, ""))
        except MountError:
            continue  # another user's, or one that does not answer
    return found
