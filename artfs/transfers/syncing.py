"""Small files are synced later, many at once.

A save of a few KiB would spend most of its time waiting for the disk: a sync for the file, one for each new directory,
and one for the catalog. Instead the catalog keeps the bytes until then: they are committed with the version's rows, so
that one sync makes all of it durable. The file is in the store at once, for everybody to read.

    save      writes the file, does not sync it, and commits rows and bytes
    sync      after some hundred of those, beside whatever the program does: makes sure of the files, syncs them all,
              the manifests of such versions are written, and the catalog forgets the bytes
    open      whoever is the first to open the workspace after the machine was started again syncs, too: then files that
              a crash took are written again from those bytes before anybody reads them
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from artfs.catalog.engine import chunks
from artfs.content.digest import Digest, hash_bytes
from artfs.errors import ArtfsError
from artfs.stages import stages
from artfs.stores.local.store import FEW_FILES

if TYPE_CHECKING:
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.unsynced import UnsyncedPlace
    from artfs.home.home import Home
    from artfs.home.stores import HomeStores
    from artfs.stores.base import Store
    from artfs.transfers.background import Background

SMALL_FILE = 16 * 2**10
"""Bytes of the largest file whose sync may wait."""
SMALL_VERSION = 64 * 2**10
"""Bytes of all new files of a version together, if their sync is to wait."""
MOST_UNSYNCED = 256
"""Contents that a process adds to those that the catalog had when it began, before it syncs all of them."""
_SECTOR = 512
_WORK = "syncs small files"

logger = logging.getLogger(__name__)


def small_contents(kept: Mapping[Digest, bytes | None]) -> dict[Digest, bytes] | None:
    """Return the bytes of files if they are small enough to be synced later; None if not.

    Args:
        kept: what is in each file, where the caller has it in memory.
    """
    contents = {digest: content for digest, content in kept.items() if content is not None}
    if len(contents) < len(kept) or len(kept) > FEW_FILES:
        return None
    sizes = [len(content) for content in contents.values()]
    return contents if max(sizes, default=0) <= SMALL_FILE and sum(sizes) <= SMALL_VERSION else None


class Syncing:
    """Which small files of a home are to be synced, and when. Many threads may use it.

    Args:
        home: whose files they are.
        catalog: gives the catalog that keeps their bytes.
        stores: where they are.
        background: does what can be done beside the program.
        write_manifests: writes the manifests that are owed.
    """

    # There is no lock that a fork could leave locked: two syncs at once do the same twice, and no harm.

    def __init__(
        self,
        home: Home,
        catalog: Callable[[], Catalog],
        stores: HomeStores,
        background: Background,
        write_manifests: Callable[[], None],
    ) -> None:
        self._home = home
        self._write_manifests = write_manifests
        self._catalog = catalog
        self._stores = stores
        self._own: set[Digest] = set()
        self._count: int | None = None
        self._background = background

    def added(self, contents: Collection[Digest]) -> None:
        """Take note of the contents of a version that this process has just saved; begin to sync if there are many."""
        self._own.update(contents)
        if self._count is None:
            self._count = self._counted()
        else:
            self._count += max(len(contents), 1)  # a manifest, at least
        if self._count >= MOST_UNSYNCED and not self._background.is_at(_WORK):
            self._count = 0
            # Others may be writing so much to the same disk that a sync takes a while.
            self._background.start(_WORK, self.try_to_sync)

    def wait(self) -> None:
        """Return when a sync that has begun by itself is through."""
        self._background.wait(_WORK)

    def try_to_sync(self) -> None:
        """Sync, and only log a failure: the bytes are safe in the catalog, and the next one tries again."""
        try:
            self.sync()
        except (ArtfsError, OSError) as error:
            logger.warning("small files could not be synced yet: %s; the catalog keeps their bytes", error)

    def sync(self) -> None:
        """Make all small files durable, and let the catalog forget their bytes.

        Raises:
            ArtfsError, OSError: the first of what went wrong; all that could be synced is.
        """
        own, self._own = self._own, set()
        mine: list[list[UnsyncedPlace]] = []
        others: list[list[UnsyncedPlace]] = []
        for _, same in groupby(self._catalog().unsynced.places(), key=lambda place: place.digest):
            places = list(same)
            (mine if places[0].digest in own else others).append(places)
        # What this process wrote is synced at once: it would be told of a failure. For the rest, each file is asked.
        failures: list[Exception] = []
        for part in [mine, *chunks(others, FEW_FILES)]:
            failures += self._sync([place for places in part for place in places])
        try:
            self._write_manifests()
        except (ArtfsError, OSError) as error:
            failures.append(error)
        if failures:
            raise failures[0]

    def _counted(self) -> int:
        try:
            return self._catalog().unsynced.count()
        except (ArtfsError, OSError):
            return MOST_UNSYNCED  # the sync meets it again, and tells

    def _sync(self, places: Iterable[UnsyncedPlace]) -> list[Exception]:
        """Sync what lies at some places, each of which is right or is made so; return what went wrong."""
        failures: list[Exception] = []
        by_store: dict[int, list[UnsyncedPlace]] = {}
        for place in places:
            try:
                if self._is_ready(place):
                    by_store.setdefault(place.store_id, []).append(place)
            except (ArtfsError, OSError) as error:
                failures.append(error)
        unsynced = self._catalog().unsynced
        for store_id, ready in by_store.items():
            try:
                self._stores.by_id(store_id).sync([place.path for place in ready])
                stages.reached("synced")
                unsynced.remove(ready)
            except FileNotFoundError:
                continue  # somebody has just removed a version: the next sync finds what is left
            except OSError as error:
                # The system tells once that it could not write something, and takes it for written from then on.
                unsynced.doubt(ready)
                failures.append(error)
        return failures

    def _is_ready(self, place: UnsyncedPlace) -> bool:
        """Whether the right bytes are in a file, so that it can be synced; they are written again if need be."""
        in_doubt = place.boot is None
        if not in_doubt and self._is_right(place):
            return True
        catalog, store = self._catalog(), self._stores.by_id(place.store_id)
        # Nobody can remove the version meanwhile: its file must not come back after that.
        with catalog.transaction():
            content = catalog.unsynced.get(place.blob_id)
            if content is None or place not in catalog.unsynced.places(place.blob_id):
                return False
            if not in_doubt:
                if self._is_right(place):
                    return True
                if not is_left_by_a_crash(self._read(place), content):
                    return False  # whoever reads it is to be told
            self._stores.check_own(store)
            if not in_doubt:
                logger.warning("'%s' was lost, as by a crash, and is written again", store.place_path(place.path))
            _write_again(store, place, content, self._home)
        return True

    def _is_right(self, place: UnsyncedPlace) -> bool:
        content = self._read(place)
        return content is not None and hash_bytes(content) == place.digest

    def _read(self, place: UnsyncedPlace) -> bytes | None:
        """What is in a file, or None if there is none; of a file that is too long so much that this can be seen."""
        try:
            with self._stores.by_id(place.store_id).open_place(place.path) as reader:
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


def _write_again(store: Store, place: UnsyncedPlace, content: bytes, home: Home) -> None:
    """Put the file into the store as a new one: the old one's pages may pass for written when they are not."""
    import tempfile  # here: only a crash makes it needed

    home.sharing.make_folder(home.cache)
    with tempfile.NamedTemporaryFile(dir=home.cache, prefix=".artfs-") as written:
        written.write(content)
        written.flush()
        os.fchmod(written.fileno(), home.sharing.stored_mode(place.mode))
        os.utime(written.fileno(), ns=(place.mtime_ns, place.mtime_ns))
        store.delete(place.path)
        store.place(Path(written.name), place.path, adopt=False)
