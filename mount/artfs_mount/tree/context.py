"""What the nodes of a mount share: the catalog, and what was read from it that never changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Final, NamedTuple

from artfs.catalog.versions import PURGED
from artfs_mount.tree.blocking import Blocking, Slow
from artfs_mount.tree.cache import RecentlyUsed, UntilChanged
from artfs_mount.tree.columns import EntryColumns
from artfs_mount.tree.modes import Modes, Owners
from artfs_mount.tree.nearness import Nearness, Where
from artfs_mount.tree.node import Owner, stale

if TYPE_CHECKING:
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.listings import ListedVersion
    from artfs.catalog.versions import Version
    from artfs.lineage.graph import Graph
    from artfs.workspace.workspace import Workspace

CACHED_VERSIONS: Final = 20_000
CACHED_TEXT_BYTES: Final = 8 * 2**20
CACHED_FACTS: Final = 100_000
"""Names of versions and steps: some 300 bytes each."""
CACHED_SIZES: Final = 20_000
CACHED_PICTURE_BYTES: Final = 16 * 2**20
TREE_OVERHEAD: Final = 8
"""What an empty tree costs in the cache, in entries."""


class Top(NamedTuple):
    """The root directory of a version. mode: as `stat` shows it. user_id: whose it is; 0 for the daemon's user."""

    tree_id: int
    mtime_ns: int
    mode: int
    user_id: int


class Context:
    """The catalog, and bounded caches of its immutable rows. Safe to use from many threads.

    Args:
        workspace: Whose versions to show.
        status: Makes the content of `/.artfs/status.json`.
        fresh_seconds: How long the kernel may keep the name of an artifact or version that it has looked up, and the
            attributes of the directories that hold them.
        cached_entries: How many entries of directories to keep in memory.
        blocking: Knows the thread that must not wait.
    """

    def __init__(
        self,
        workspace: Workspace,
        status: Callable[[], bytes],
        *,
        fresh_seconds: float,
        cached_entries: int,
        blocking: Blocking,
    ) -> None:
        self.workspace = workspace
        self.status = status
        self.fresh_seconds = fresh_seconds
        self.started_ns = time.time_ns()
        group = workspace.home.group
        self.takes_drafts = workspace.home.is_writable
        self.modes = Modes(group)
        self.texts: RecentlyUsed[int, bytes] = RecentlyUsed(CACHED_TEXT_BYTES)
        self.sizes: RecentlyUsed[int, int] = RecentlyUsed(CACHED_SIZES)
        self.pictures: RecentlyUsed[Hashable, tuple[Graph, bytes]] = RecentlyUsed(CACHED_PICTURE_BYTES)
        self._blocking = blocking
        self._catalog = workspace.catalog
        self.is_remote = self._catalog.engine.is_remote
        self.facts = UntilChanged(None if self.is_remote else self._catalog.stamp, blocking, CACHED_FACTS)
        self._owners = Owners(lambda: self.catalog, group, blocking)
        self._nearness = Nearness(workspace)
        self._columns: RecentlyUsed[int, EntryColumns] = RecentlyUsed(cached_entries)
        self._told: RecentlyUsed[int, int] = RecentlyUsed(CACHED_VERSIONS)
        self._roots: RecentlyUsed[int, Top] = RecentlyUsed(CACHED_VERSIONS)

    @property
    def catalog(self) -> Catalog:
        """The catalog, for point reads. One on another machine is never asked on the event loop."""
        if self.is_remote:
            self._blocking.check(Slow.QUERY)
        return self._catalog

    def may_wait(self, slow: Slow = Slow.QUERY) -> None:
        """Say that what comes may take long. Raises WouldBlock on the event loop."""
        self._blocking.check(slow)

    def columns(self, tree_id: int) -> EntryColumns:
        """The entries of a directory.

        Raises:
            Stale: It was removed after its version was purged. An empty or shorter listing in its place
                would make `rsync --delete` remove the copy.
        """
        found = self._columns.get(tree_id)
        if found is None:
            self.may_wait()
            found = EntryColumns(self.catalog.trees.pieces(tree_id), self.modes)
            if self.catalog.trees.tree(tree_id) is None:
                raise stale(tree_id)
            self._columns.put(tree_id, found, len(found) + TREE_OVERHEAD)
        return found

    def version(self, version_id: int) -> Version:
        """The version as of now. Raises Stale: there is none, or it is purged."""
        version = self.catalog.versions.by_id(version_id)
        if version is None or version.state == PURGED:
            raise stale(version_id)
        return version

    def root(self, version_id: int) -> Top:
        """The root directory of a version.

        Raises:
            Stale: There is no such version, or it is purged.
        """
        found = self._roots.get(version_id)
        if found is None:
            found = self.root_of(self.version(version_id))
        return found

    def root_of(self, version: Version | ListedVersion) -> Top:
        """The root directory of a version whose row is at hand. Raises Stale when it is purged."""
        if version.tree_id is None:
            raise stale(version.id)
        mode = self.modes.directory(version.mode)
        found = Top(version.tree_id, version.mtime_ns, mode, self._owners.known(version.user_id))
        self._roots.put(version.id, found)
        return found

    def told(self, version_id: int) -> tuple[int, Owner | None]:
        """The mode and owner of a text that tells of all files of a version. May take a second for a million files."""
        top = self.root(version_id)
        mode = self._told.get(top.tree_id)
        if mode is None:
            self.may_wait(Slow.MAKING)
            mode = self.modes.of_all(self.catalog.trees.modes(top.tree_id))
            self._told.put(top.tree_id, mode)
        return mode, self.owner(top.user_id)

    def where(self, blob_id: int) -> Where:
        """Where the bytes of a file are read."""
        return self._nearness.of(self.catalog.blobs.places(blob_id))

    def look_where(self, blob_id: int) -> None:
        """Find out how near the bytes of a file are. Waits for their disks: call it among the places of their store."""
        self._nearness.look(self.catalog.blobs.places(blob_id))

    def owner(self, user_id: int) -> Owner | None:
        """Whom a user id of a version stands for; 0 is the daemon's user."""
        return self._owners.of(user_id) if user_id else self._owners.own
