"""Which store a path or URI lies in, and what may be done there.

A path that begins with the root of a registered store, or that leads into one through links, belongs to that store: the
store then refuses what leaves it through `..` or a link. Other local paths are plain files. Other URIs are errors.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from artfs.errors import ReadOnly, StoreError
from artfs.home.home import Home
from artfs.io.plain import PlainFiles
from artfs.scopes import step_scope
from artfs.stores.artifact_store import BaseArtifactStore
from artfs.stores.flavor import PathType
from artfs.stores.local.store import local_path
from artfs.workspace.current import current_workspace

if TYPE_CHECKING:
    from artfs.catalog.stores import StoreRow
    from artfs.workspace.workspace import Workspace

_VERSION_DIRECTORY = re.compile(r"([0-9a-f]{32})(\..*)?")


@dataclass(frozen=True, slots=True)
class Located:
    """Where a path is.

    Args:
        files: the store that it is in, or the plain files of this machine.
        path: what they call it.
        workspace: which the store belongs to.
    """

    files: BaseArtifactStore | PlainFiles
    path: str
    workspace: Workspace | None = None

    def is_in_same(self, other: Located) -> bool:
        """Whether both are in one store, or both in none."""
        if isinstance(self.files, PlainFiles) or isinstance(other.files, PlainFiles):
            return type(self.files) is type(other.files)
        return self.files.id == other.files.id

    def tell_read(self) -> Located:
        """Return this, after telling the step that reads here which version the path belongs to."""
        scope = step_scope.get()
        if scope is not None and self.workspace is not None and not isinstance(self.files, PlainFiles):
            for uuid in _versions_touched(self.files, self.path, False):
                version = self.workspace.catalog.versions.by_uuid(uuid)
                if version is not None:
                    scope.loaded(version)
        return self

    def check_writable(self, *, whole: bool = False) -> Located:
        """Return this, or raise if writing there would change a version, or remove a store.

        Args:
            whole: whether everything below goes too (rmtree, rename).

        Raises:
            ReadOnly: the bytes of a version are there.
            StoreError: a store is there.
        """
        if isinstance(self.files, PlainFiles):
            if whole:
                _refuse_stores_below(self.path)
            return self
        assert self.workspace is not None
        for uuid in _versions_touched(self.files, self.path, whole):
            version = self.workspace.catalog.versions.by_uuid(uuid)
            if version is not None:
                raise ReadOnly(
                    f"'{self.path}' belongs to version {version.shown_name}, and versions never change:"
                    " save a new one, or remove it with 'artfs artifact version delete'",
                    subject=self.path,
                )
        return self


def locate(path: PathType, *, follow: bool = True) -> Located:
    """Find out where a path or URI is.

    Args:
        path: local path, `file://` URI, or URI of a store.
        follow: whether a link at its end is followed (open), or meant itself (remove).

    Raises:
        OutsideStore: it begins in a store and leads out of it.
        StoreError: it is a URI that lies in no registered store.
    """
    text = os.fsdecode(path)
    local = local_path(text)
    # A home is not made for the sake of a file somewhere else.
    if not Home.find().exists:
        if local is None:
            raise _in_no_store(text)
        return Located(PlainFiles(), local)
    workspace = current_workspace()
    rows = workspace.stores.rows()
    row = _holding(rows, local if local is not None else text)
    if row is None:
        if local is None:
            raise _in_no_store(text)
        text = _resolved(local, follow)
        row = _holding(rows, text, os.path.realpath)
        if row is None:
            return Located(PlainFiles(), local)
    files = workspace.stores.by_id(row.id).files
    full = files.inside(text)
    if follow and files.is_local:
        full = files.inside(os.path.realpath(full))
    return Located(files, full, workspace)


def _holding(rows: Iterable[StoreRow], path: str, resolved: Callable[[str], str] = str) -> StoreRow | None:
    """The store whose root a path begins with, as both are written."""
    for row in rows:
        root = local_path(row.root)
        if _is_below(path, resolved(root) if root is not None else row.root):
            return row
    return None


def _is_below(path: str, root: str) -> bool:
    above, parts = _components(root), _components(path)
    return parts[: len(above)] == above


def _components(path: str) -> list[str]:
    local = path.startswith("/") or "://" not in path
    scheme, rest = ("", path) if local else path.split("://", 1)
    return [
        scheme + ("/" if rest.startswith("/") else ""),
        *(part for part in rest.split("/") if part not in ("", ".")),
    ]


def _resolved(path: str, follow: bool) -> str:
    if follow:
        return os.path.realpath(path)
    above, name = os.path.split(path.rstrip("/"))
    return os.path.join(os.path.realpath(above), name) if name not in ("", ".", "..") else os.path.realpath(path)


def _versions_touched(files: BaseArtifactStore, path: str, whole: bool) -> Iterator[str]:
    """The ids that versions would have that something done to `path` could change."""
    relative = _components(path)[len(_components(files.inside(""))) :]
    if len(relative) >= 2:
        names = [relative[1]]
    elif whole and files.isdir(path):
        directories = [path] if relative else [f"{path}/{name}" for name in files.listdir(path)]
        names = [name for directory in directories if files.isdir(directory) for name in files.listdir(directory)]
    else:
        names = []
    for name in names:
        if found := _VERSION_DIRECTORY.fullmatch(name):
            yield str(UUID(found[1]))


def _refuse_stores_below(path: str) -> None:
    if not Home.find().exists:
        return
    resolved = _resolved(path, follow=False)
    for row in current_workspace().stores.rows():
        root = local_path(row.root)
        if root is not None and _is_below(os.path.realpath(root), resolved):
            raise StoreError(f"'{path}' holds the artifact store '{row.name}': remove what is beside it", subject=path)


def _in_no_store(uri: str) -> StoreError:
    return StoreError(
        f"'{uri}' is in no registered artifact store: 'artfs artifact-store list' lists them, and 'register' adds one",
        subject=uri,
    )
