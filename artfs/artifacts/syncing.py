"""Small files are synced later, many at once.

A save of a few KiB would spend most of its time waiting for the disk: a sync for the file, one for each new directory,
and one for the catalog. Instead the catalog keeps the bytes until then: they are committed with the version's rows, so
that one sync makes all of it durable. The file is in the store at once, for everybody to read.

    save      writes the file, does not sync it, and commits rows and bytes
    sync      after some hundred of those: makes sure of the files, syncs them all, and the catalog forgets the bytes
    restore   a file that a crash of the machine took before that is written again from those bytes
"""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from collections.abc import Collection, Mapping
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from artfs.catalog.engine import chunks
from artfs.catalog.unsynced import current_boot
from artfs.content.digest import Digest, hash_bytes
from artfs.errors import ArtfsError, PlaceExists
from artfs.stores.local import FEW_FILES

if TYPE_CHECKING:
    from artfs.artifacts.measure import MeasuredFile
    from artfs.catalog.unsynced import UnsyncedPlace
    from artfs.stores.base import Store
    from artfs.workspace import Workspace

SMALL_FILE = 16 * 2**10
"""Bytes of the largest file whose sync may wait. A sync takes about as long as to write so many twice."""
SMALL_VERSION = 64 * 2**10
"""Bytes of all new files of a version together, if their sync is to wait."""
MOST_UNSYNCED = 256
"""Contents that the catalog keeps, of all processes together, before somebody syncs them."""
_SECTOR = 512

logger = logging.getLogger(__name__)


def small_contents(files: Mapping[Digest, MeasuredFile]) -> dict[Digest, bytes] | None:
    """Return the bytes of files that are small enough to be synced later; None if they are not."""
    contents = {digest: file.content for digest, file in files.items() if file.content is not None}
    is_small = len(contents) == len(files) <= FEW_FILES and sum(map(len, contents.values())) <= SMALL_VERSION
    return contents if is_small else None


class Syncing:
    """Which small files of a workspace are to be synced, and when. Many threads may use it.

    Args:
        workspace: where they are.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._own: set[Digest] = set()
        self._count: int | None = None

    def added(self, contents: Collection[Digest]) -> None:
        """Take note of contents that this process has just saved; sync if there are many now."""
        with self._lock:
            if self._count is None:
                self._count = self._workspace.catalog.unsynced.count()
            else:
                self._count += len(contents)
            self._own.update(contents)
            is_due = self._count >= MOST_UNSYNCED
        if is_due:
            self.try_to_sync()

    def try_to_sync(self) -> None:
        """Sync, and only log a failure: the bytes are safe in the catalog, and the next one tries again."""
        try:
            self.sync()
        except (ArtfsError, OSError) as error:
            logger.warning("small files could not be synced yet: %s; the catalog keeps their bytes", error)

    def sync(self) -> None:
        """Make all small files durable, and let the catalog forget their bytes.

        Raises:
            OSError: a file can be neither read nor written again. What was synced so far is.
        """
        with self._lock:
            own, self._own, self._count = self._own, set(), 0
        mine: list[list[UnsyncedPlace]] = []
        others: list[list[UnsyncedPlace]] = []
        for _, same in groupby(self._workspace.catalog.unsynced.places(), key=lambda place: place.digest):
            places = list(same)
            (mine if places[0].digest in own else others).append(places)
        # What this process wrote is synced at once: it would be told of a failure. For the rest, each file is asked.
        for part in [mine, *chunks(others, FEW_FILES)]:
            self._sync([place for places in part for place in places])

    def restore(self, blob_id: int) -> bool:
        """Write the files of a content again that a crash of the machine took; answer whether there was one.

        A file that was changed since the machine started stays as it is: whoever reads it is to be told.
        """
        places = self._workspace.catalog.unsynced.places(blob_id)
        before = [place for place in places if place.boot is None or place.boot != current_boot()]
        written = [place for place in before if not self._is_right(place) and self._is_written_again(place)]
        return bool(written)

    def _sync(self, places: Collection[UnsyncedPlace]) -> None:
        """Sync what lies at some places, each of which is right or is made so."""
        by_store: dict[int, list[UnsyncedPlace]] = {}
        for place in places:
            if self._is_right(place) or self._is_written_again(place):
                by_store.setdefault(place.store_id, []).append(place)
        for store_id, ready in by_store.items():
            try:
                self._workspace.stores.by_id(store_id).sync([place.path for place in ready])
            except FileNotFoundError:
                continue  # somebody has just removed a version: the next sync finds what is left
            self._workspace.catalog.unsynced.remove({place.blob_id for place in ready})

    def _is_right(self, place: UnsyncedPlace) -> bool:
        content = self._read(place)
        return content is not None and hash_bytes(content) == place.digest

    def _is_written_again(self, place: UnsyncedPlace) -> bool:
        """Write a file again if it is what a crash leaves, and somebody needs it still."""
        workspace = self._workspace
        store = workspace.stores.by_id(place.store_id)
        # Nobody can remove the version meanwhile: its file must not come back after that.
        with workspace.catalog.transaction():
            content = workspace.catalog.unsynced.get(place.blob_id)
            if content is None or not workspace.catalog.blobs.at(place.store_id, [place.path]):
                return False
            if not is_left_by_a_crash(self._read(place), content):
                return False
            logger.warning("'%s' was lost in a crash, and is written again", store.place_path(place.path))
            _write_again(store, place.path, content, workspace.home.cache)
        return True

    def _read(self, place: UnsyncedPlace) -> bytes | None:
        """What is in a file, or None if there is none; of a file that is too long so much that this can be seen."""
        try:
            with self._workspace.stores.by_id(place.store_id).open_place(place.path) as reader:
                return reader.pread(0, SMALL_FILE + 1)
        except FileNotFoundError:
            return None


def is_left_by_a_crash(found: bytes | None, written: bytes) -> bool:
    """Whether a file that was not synced may be this after a crash: gone, too short, or with sectors of zeros.

    Args:
        found: what is in the file; None when it is gone.
        written: what was written to it.
    """
    if found is None:
        return True
    sectors = ((at, found[at : at + _SECTOR]) for at in range(0, len(found), _SECTOR))
    return len(found) <= len(written) and all(
        not any(sector) or sector == written[at : at + len(sector)] for at, sector in sectors
    )


def _write_again(store: Store, path: bytes, content: bytes, scratch: Path) -> None:
    store.remove_place(path)
    scratch.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=scratch, prefix=".artfs-") as written:
        written.write(content)
        written.flush()
        os.fchmod(written.fileno(), 0o444)
        try:
            store.place(Path(written.name), path, adopt=False)
        except PlaceExists:
            return  # another process that found the same was quicker
    store.sync([path])
