"""Which bytes are as near as the catalog: what lies on the disk of the home stalls no sooner than the catalog does."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from artfs.stores.roots import full_root

if TYPE_CHECKING:
    from artfs.catalog.blobs import BlobPlace
    from artfs.workspace import Workspace

LOCAL: Final = "local"


class Where(NamedTuple):
    """Where a file's bytes are read first.

    store_id: None for data in place. is_near: all of its places are known to be near.
    """

    store_id: int | None
    is_near: bool


class Nearness:
    """Knows which stores are folders on the disk of the home. What was found holds as long as the daemon lives."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._near: dict[int, bool] = {}

    def of(self, places: Sequence[BlobPlace]) -> Where:
        """Where a blob with these places is read, as far as it is known: no disk is asked."""
        near = bool(places) and all(place.store_id is not None and self._near.get(place.store_id) for place in places)
        return Where(places[0].store_id if places else None, near)

    def look(self, places: Sequence[BlobPlace]) -> None:
        """Find out about these places. Waits for their disks: call it from a thread that may be lost to them."""
        for place in places:
            if place.store_id is not None and place.store_id not in self._near:
                self._near[place.store_id] = self._is_near(place.store_id)

    def _is_near(self, store_id: int) -> bool:
        row = self._workspace.catalog.stores.by_id(store_id)
        if row is None or row.flavor != LOCAL:
            return False
        home = str(self._workspace.home.path)
        try:
            return os.stat(full_root(row.root, home)).st_dev == os.stat(home).st_dev
        except OSError:  # it is not there, or will not be reached: the read says why
            return False
