"""Which bytes are as near as the catalog: what lies on the disk of the home stalls no sooner than the catalog does."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from artfs.stores.roots import full_root
from artfs_mount.tree.blocking import Blocking, Slow

if TYPE_CHECKING:
    from artfs.catalog.blobs import BlobPlace
    from artfs.workspace import Workspace

LOCAL: Final = "local"


class Where(NamedTuple):
    """Where a file's bytes are read first. store_id: None for data in place. is_near: all of its places are near."""

    store_id: int | None
    is_near: bool


class Nearness:
    """Knows which stores are folders on the disk of the home. What was found holds as long as the daemon lives."""

    def __init__(self, workspace: Workspace, blocking: Blocking) -> None:
        self._workspace = workspace
        self._blocking = blocking
        self._near: dict[int, bool] = {}

    def of(self, places: Sequence[BlobPlace]) -> Where:
        """Where a blob with these places is read."""
        near = bool(places) and all(place.store_id is not None and self._is_near(place.store_id) for place in places)
        return Where(places[0].store_id if places else None, near)

    def _is_near(self, store_id: int) -> bool:
        known = self._near.get(store_id)
        if known is None:
            self._blocking.check(Slow.QUERY)
            known = self._near[store_id] = self._look(store_id)
        return known

    def _look(self, store_id: int) -> bool:
        row = self._workspace.catalog.stores.by_id(store_id)
        if row is None or row.flavor != LOCAL:
            return False
        home = str(self._workspace.home.path)
        try:
            return os.stat(full_root(row.root, home)).st_dev == os.stat(home).st_dev
        except OSError:  # it is not there, or will not be reached: the read says why
            return False
