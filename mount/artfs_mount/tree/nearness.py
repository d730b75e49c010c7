"""Which bytes are as near as the catalog: what lies on the disk of the home stalls no sooner than the catalog does."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from artfs.home.store_roots import full_root
from artfs.linux.mounts import MountPoints
from artfs.stores.local.store import local_path

if TYPE_CHECKING:
    from artfs.catalog.blobs import BlobPlace
    from artfs.workspace.workspace import Workspace

LOCAL: Final = "local"


class Where(NamedTuple):
    """Where a file's bytes are read first.

    source: What they come from, all of which may hang at once: the store, by its id; for data in place the file system,
        by its mount point; None where nobody knows. is_near: all of its places are known to be near.
    """

    source: int | bytes | None
    is_near: bool


class Nearness:
    """Knows which stores are folders on the disk of the home. What was found holds as long as the daemon lives."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._near: dict[int, bool] = {}
        self._mount_points = MountPoints()

    def of(self, places: Sequence[BlobPlace]) -> Where:
        """Where a blob with these places is read, as far as it is known: no disk is asked."""
        near = bool(places) and all(place.store_id is not None and self._near.get(place.store_id) for place in places)
        return Where(self._source(places[0]) if places else None, near)

    def look(self, places: Sequence[BlobPlace]) -> None:
        """Find out about these places. Waits for their disks: call it from a thread that may be lost to them."""
        for place in places:
            if place.store_id is not None and place.store_id not in self._near:
                self._near[place.store_id] = self._is_near(place.store_id)

    def _source(self, place: BlobPlace) -> int | bytes | None:
        if place.store_id is not None:
            return place.store_id
        path = local_path(os.fsdecode(place.path))
        return self._mount_points.of(os.fsencode(path)) if path is not None else None

    def _is_near(self, store_id: int) -> bool:
        row = self._workspace.catalog.stores.by_id(store_id)
        if row is None or row.flavor != LOCAL:
            return False
        home = str(self._workspace.home.path)
        try:
            return os.stat(full_root(row.root, home)).st_dev == os.stat(home).st_dev
        except OSError:  # it is not there, or will not be reached: the read says why
            return False
