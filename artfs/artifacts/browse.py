"""Artifacts, versions and their files by path, `<artifact>/<version>/<path>`, described as fsspec describes files."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from artfs.artifacts.lookup import find_artifact, version_of
from artfs.artifacts.paths import Inside
from artfs.content.digest import format_digest
from artfs.content.tree import EntryKind
from artfs.scopes import step_scope
from artfs.text.times import moment

if TYPE_CHECKING:
    from artfs.catalog.artifacts import Artifact
    from artfs.catalog.trees import EntryRow
    from artfs.catalog.versions import Version
    from artfs.workspace.workspace import Workspace

Info = dict[str, Any]
"""`name` (the path), `size`, `type` (file, directory, or link for one that leads nowhere), `mtime` in seconds since
1970 UTC, and for versions and what is in them `mode`, `digest` and `islink`."""


class Browser:
    """Looks paths up in a workspace.

    Args:
        workspace: where.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._inside = Inside(workspace.catalog.trees)

    def info(self, path: str) -> Info:
        """Return what is known of a path. Raises FileNotFoundError."""
        name, version, rest = _split(path)
        if not name:
            return {"name": "", "size": 0, "type": "directory"}
        artifact = self._artifact(name)
        if not version:
            return _artifact_info(path, artifact)
        row, tree_id = self._version(artifact, version)
        found = self._inside.find(tree_id, rest)
        return _version_info(path, row) if found.entry is None else entry_info(path, found.entry, found.is_link)

    def listed(self, path: str) -> list[Info]:
        """Return what is in a directory, or the file itself.

        The links `latest` and `@tag` of an artifact are left out, so that nothing is found twice.

        Raises:
            FileNotFoundError: nothing is there.
        """
        name, version, rest = _split(path)
        catalog = self.workspace.catalog
        if not name:
            return [_artifact_info(each.name, each) for each in catalog.artifacts.list(sort="asc:name")]
        artifact = self._artifact(name)
        if not version:
            rows = catalog.versions.list(artifact.id)
            if (scope := step_scope.get()) is not None:
                scope.listed({"artifact_id": artifact.id}, rows)
            versions = [row for row in rows if row.tree_id is not None]
            return [_version_info(f"{path}/{row.name}", row) for row in versions]
        _, tree_id = self._version(artifact, version)
        found = self._inside.find(tree_id, rest)
        if found.tree_id is None:
            assert found.entry is not None
            return [entry_info(path, found.entry, found.is_link)]
        return [self._entry(tree_id, rest, entry, path) for entry in self._inside.entries(found.tree_id)]

    def file(self, path: str) -> tuple[Version, str, EntryRow]:
        """Return the version that a file is in, its exact path there, and its row.

        Raises:
            FileNotFoundError: nothing is there.
            IsADirectoryError: it is no file.
        """
        name, version, rest = _split(path)
        if version:
            row, tree_id = self._version(self._artifact(name), version)
            found = self._inside.find(tree_id, rest)
            if found.entry is not None and found.tree_id is None:
                if (scope := step_scope.get()) is not None:
                    scope.loaded(row)
                return row, os.fsdecode(b"/".join(found.path)), found.entry
        elif name:
            self._artifact(name)
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)

    def created(self, path: str) -> datetime:
        """Return when the artifact or version that a path is in was made."""
        name, version, _ = _split(path)
        artifact = self._artifact(name)
        created_us = self._version(artifact, version)[0].created_us if version else artifact.created_us
        return moment(created_us)

    def _artifact(self, name: str) -> Artifact:
        # In a URL a name may be encoded, as one with `::` in it has to be.
        encoded = "%" in name and self.workspace.catalog.artifacts.get(name) is None
        return find_artifact(self.workspace.catalog, unquote(name) if encoded else name)

    def _version(self, artifact: Artifact, version: str) -> tuple[Version, int]:
        row = version_of(self.workspace.catalog, artifact, version)
        assert row.tree_id is not None
        return row, row.tree_id

    def _entry(self, tree_id: int, above: Sequence[bytes], entry: EntryRow, path: str) -> Info:
        """One name in a directory of a version, which is at `above` (components) and is shown as `path`."""
        name = f"{path}/{os.fsdecode(entry.name)}"
        if entry.kind != EntryKind.SYMLINK:
            return entry_info(name, entry)
        way = [*above, entry.name]
        link = {"islink": True, "destination": os.fsdecode(entry.target or b"")}
        try:
            found = self._inside.find(tree_id, way)
        except OSError:
            found = None
        # A walk that went down where a link leads up would never end.
        if found is None or found.entry is None or self._inside.leads_up(tree_id, way, found):
            return {"name": name, "size": 0, "type": "link", "mtime": entry.mtime_ns / 1e9, **link}
        return {**entry_info(name, found.entry), **link}


def entry_info(path: str, entry: EntryRow, is_link: bool = False) -> Info:
    """Return what is known of a file or directory of a version."""
    is_directory = entry.kind == EntryKind.DIRECTORY
    assert entry.digest is not None
    return {
        "name": path,
        "size": 0 if is_directory else entry.size,
        "type": "directory" if is_directory else "file",
        "mode": (stat.S_IFDIR if is_directory else stat.S_IFREG) | entry.mode,
        "mtime": entry.mtime_ns / 1e9,
        "digest": format_digest(entry.digest),
        "islink": is_link,
    }


def _artifact_info(path: str, artifact: Artifact) -> Info:
    return {"name": path, "size": 0, "type": "directory", "mtime": artifact.created_us / 1e6}


def _version_info(path: str, version: Version) -> Info:
    return {
        "name": path,
        "size": 0,
        "type": "directory",
        "mode": stat.S_IFDIR | version.mode,
        "mtime": version.mtime_ns / 1e9,
        "digest": format_digest(version.digest),
        "version": version.name,
    }


def _split(path: str) -> tuple[str, str, list[bytes]]:
    """Artifact, version, and the components of the path in the version; empty where there is none."""
    name, _, rest = path.strip("/").partition("/")
    version, _, inner = rest.partition("/")
    return name, version, [part for part in os.fsencode(inner).split(b"/") if part]
