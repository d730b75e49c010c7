"""Bringing what a row of `pending` is about to its store, content by content.

    claim     the folder of the version in the store, so that what is being brought there is not taken for a leftover
    put       some contents, each checked (`arrival`), from the landing area, the store to copy from, or wherever
    sync      these contents
    record    that they are there, and how far the row is: whatever happens later, they are not brought again
    release   their files in the landing area
    finish    the row goes, and an uploaded version is live

It may be killed between any two of these and inside of each: whoever goes on finds what was recorded, and what was put
without being recorded is looked at and taken as it is, or put anew. The row may go meanwhile, as its version is purged:
then what was not recorded is taken back.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artfs.blobs.memory import Memory
from artfs.blobs.places import Candidate
from artfs.blobs.reader import BlobReader
from artfs.catalog.pending import UPLOAD, PendingRow
from artfs.catalog.versions import LIVE, PURGED, STAGED
from artfs.content.digest import Digest, FileDigest
from artfs.content.files import COPYING
from artfs.content.long_paths import shown as _shown
from artfs.errors import ArtfsError, DigestMismatch, InvalidValue, PlaceExists, StoreError
from artfs.names import version_folder
from artfs.stores.local.store import local_path
from artfs.transfers.arrival import put

if TYPE_CHECKING:
    from artfs.catalog.blobs import BlobPlace
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.copies import Copy, InStore
    from artfs.catalog.versions import Version
    from artfs.home.home import Home
    from artfs.home.stores import HomeStores
    from artfs.stores.base import Store
    from artfs.transfers.landing import Landing

BATCH_FILES = 64
BATCH_BYTES = 64 * 2**20
"""After so much, what has been put is made durable and recorded."""
_READ_BYTES = 4 * 2**20


class Stopped(Exception):
    """The work is to end here: the worker stops, or the row is paused or owed no more."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A content, and where it is to lie in the store."""

    key: bytes
    file: FileDigest


@dataclass(frozen=True, slots=True)
class _Present:
    """A content that is in the store.

    Args:
        blob_id, size: of the content.
        key: where it is.
        is_new: whether it was put there just now, and is not recorded yet.
        landed: places in the landing area of this machine that are of no use any more.
    """

    blob_id: int
    size: int
    key: bytes
    is_new: bool
    landed: Sequence[Copy]


class Delivery:
    """What is done for one row, by whoever holds it.

    Args:
        row: what is owed.
        catalog: the catalog that says so.
        stores, landing: where the bytes go, and where they come from.
        home: has room for what comes from another machine and goes to a third.
        is_stopped: asked between contents.
    """

    def __init__(
        self,
        row: PendingRow,
        catalog: Catalog,
        stores: HomeStores,
        landing: Landing,
        home: Home,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._row = row
        self._catalog = catalog
        self._stores = stores
        self._home = home
        self._is_stopped = is_stopped
        self._done = 0
        self._speed = _Speed()
        self._store = stores.by_id(row.store_id)
        stores.check_own(self._store)
        self._landing = landing
        self._area = landing.area(self._store)

    def run(self) -> None:
        """Do all of it.

        Raises Stopped if it was not brought to its end, and whatever else keeps it from that.
        """
        version = self._version()
        if version is not None:
            folder, contents = folder_of(version), _contents(version, self._catalog)
        else:
            blob = self._blob()
            folder, contents = blob.key.rpartition(b"/")[0], iter([blob])
        with self._store.claim(folder):
            for batch in _batches(contents):
                self._bring(batch)
            self._sweep(folder)
        self._finish(version)

    def _version(self) -> Version | None:
        if self._row.version_id is None:
            return None
        version = self._catalog.versions.by_id(self._row.version_id)
        if version is None or version.state == PURGED:
            # It was purged while somebody came to owe it: else its row would have gone with it.
            self._catalog.pending.remove(self._row.id)
            raise Stopped
        return version

    def _blob(self) -> _Wanted:
        """A single blob keeps the path that it has elsewhere."""
        assert self._row.blob_id is not None
        blob = self._catalog.blobs.by_id(self._row.blob_id)
        places = self._catalog.blobs.places(self._row.blob_id)
        path = next((place.path for place in places if place.owned), None)
        if blob is None or path is None:
            raise StoreError(f"the bytes of blob {self._row.blob_id} lie in no store, to be brought to another one")
        return _Wanted(path, blob.file)

    def _bring(self, batch: Sequence[_Wanted]) -> None:
        assert self._store.id is not None
        known = self._catalog.copies.of([wanted.file.digest for wanted in batch], self._store.id)
        present: list[_Present] = []
        try:
            for wanted in batch:
                if self._is_stopped():
                    raise Stopped
                present.append(self._brought(wanted, known[wanted.file.digest]))
        finally:
            # Whatever ends it: what has come so far need not come again.
            self._store.sync([each.key for each in present if each.is_new])
            self._record(present)
            self._release(present)

    def _brought(self, wanted: _Wanted, content: InStore) -> _Present:
        landed = [copy for copy in content.staged if copy.machine_id == self._row.machine_id]
        if content.live:
            return _Present(content.blob_id, wanted.file.size, content.live[0].path, False, landed)
        key = landed[0].path if landed else wanted.key
        self._put(key, wanted.file, content)
        return _Present(content.blob_id, wanted.file.size, key, True, landed)

    def _put(self, key: bytes, file: FileDigest, content: InStore) -> None:
        """Put a content into the store, from the first place whose bytes are right."""
        if not content.has_digest:
            raise InvalidValue(
                f"'{_shown(key)}' was registered in place without its digest: it can be read where it is, and not be "
                "copied"
            )
        self._check_free(key, content)
        failures: list[Exception] = []
        for path in self._local_files(content.blob_id, failures):
            try:
                return put(self._store, path, key, file)
            except (FileNotFoundError, DigestMismatch) as error:
                failures.append(error)
        candidates = self._remote(content.blob_id, failures)
        if failures and not candidates:
            raise failures[-1]
        with self._fetched(file, candidates) as fetched:
            return put(self._store, fetched, key, file)

    def _check_free(self, key: bytes, content: InStore) -> None:
        """What the catalog knows at a place is never replaced by something else."""
        assert self._store.id is not None
        there = self._catalog.blobs.at(self._store.id, [key]).get(key)
        if there is not None and there.id != content.blob_id:
            raise PlaceExists(f"'{self._store.place_path(key)}' has other bytes already", subject=key)

    def _local_files(self, blob_id: int, failures: list[Exception]) -> Iterator[Path]:
        """Where on this machine the bytes of a blob should be; stores that cannot be used are among the failures."""
        for store_id, path in self._catalog.copies.landed(blob_id, self._row.machine_id):
            if (store := self._usable(store_id, failures)) is not None:
                yield Path(self._landing.area(store).place_path(path))
        for place in self._places(blob_id):
            if place.store_id is not None:
                store = self._usable(place.store_id, failures)
                if store is not None and store.is_local:
                    yield Path(store.place_path(place.path))
            elif local_path(os.fsdecode(place.path)) is not None:
                yield Path(os.fsdecode(place.path))

    def _remote(self, blob_id: int, failures: list[Exception]) -> list[Candidate]:
        """Where on other machines the bytes of a blob are."""
        candidates: list[Candidate] = []
        for place in self._places(blob_id):
            store = self._usable(place.store_id, failures) if place.store_id is not None else None
            if store is not None and not store.is_local:
                candidates.append(
                    Candidate(
                        open=partial(store.open_place, place.path),
                        show=partial(store.place_path, place.path),
                        is_local=False,
                        store_id=store.id,
                    )
                )
        return candidates

    def _usable(self, store_id: int, failures: list[Exception]) -> Store | None:
        """A store, if it can be used here."""
        try:
            return self._stores.by_id(store_id)
        except (ArtfsError, OSError) as error:
            failures.append(error)
            return None

    @contextmanager
    def _fetched(self, file: FileDigest, candidates: Sequence[Candidate]) -> Iterator[Path]:
        """Bring a content from another machine to this one for as long as the block lasts."""
        folder = self._home.cache / "transfers"
        self._home.sharing.make_folders(folder, self._home.cache)
        path = folder / str(self._row.id)  # nobody else has a row at the same time: what is there is a leftover
        try:
            with (
                open(path, "wb", opener=self._home.sharing.opener) as copy,
                BlobReader(file, candidates, memory=Memory(2 * _READ_BYTES)) as reader,
            ):
                while (at := copy.tell()) < file.size:
                    copy.write(reader.read(at, _READ_BYTES))
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _places(self, blob_id: int) -> list[BlobPlace]:
        """Where the bytes of a blob are, the store to copy from first; not what is staged, nor the store itself."""
        places = [
            place
            for place in self._catalog.blobs.places(blob_id)
            if place.state != "staged" and place.store_id != self._store.id
        ]
        return sorted(places, key=lambda place: place.store_id != self._row.source_id)

    def _record(self, present: Sequence[_Present]) -> None:
        assert self._store.id is not None
        arrived = [each for each in present if each.is_new]
        landed = [copy for each in present for copy in each.landed]
        done = self._done + sum(each.size for each in present)
        if not arrived and not landed:
            self._done = done
            return
        with self._catalog.transaction():
            is_owed = self._catalog.pending.get(self._row.id) is not None
            goes_on = is_owed
            if is_owed:
                for each in arrived:
                    self._catalog.copies.arrived(self._store.id, each.blob_id, each.key)
                self._catalog.copies.forget_staged([copy.place_id for copy in landed])
            if is_owed and arrived:
                self._speed.went_on(sum(each.size for each in arrived))
                goes_on = self._catalog.pending.went_on(self._row.id, done, self._speed.state)
        if not is_owed:
            self._take_back([each.key for each in arrived])
        if not goes_on:
            raise Stopped
        self._done = done

    def _take_back(self, keys: Sequence[bytes]) -> None:
        """Remove from the store what the catalog does not know there."""
        assert self._store.id is not None
        known = self._catalog.blobs.owned_paths(self._store.id, keys)
        for key in keys:
            if key not in known:
                self._store.delete(key)

    def _release(self, present: Sequence[_Present]) -> None:
        """Give back the files in the landing area whose bytes are in the store."""
        if self._area is self._store:
            return
        for key in {each.key for each in present}.union(*({copy.path for copy in each.landed} for each in present)):
            self._area.delete(key)

    def _sweep(self, folder: bytes) -> None:
        """Remove what dead workers left of a version: copies that were cut short, and files that had landed."""
        assert self._store.id is not None
        if self._store.is_local:
            copies = [key for key in self._store.places(folder) if key.rpartition(b"/")[2].startswith(COPYING)]
            self._take_back(copies)
        if self._area is not self._store and os.path.isdir(self._area.place_path(folder)):
            landed = list(self._area.places(folder))
            known = self._catalog.copies.staged_at(self._store.id, landed)
            for key in landed:
                if key not in known:
                    self._area.delete(key)

    def _finish(self, version: Version | None) -> None:
        with self._catalog.transaction():
            if not self._catalog.pending.remove(self._row.id) or version is None:
                return
            is_its_store = self._row.kind == UPLOAD and version.store_id == self._row.store_id
            if is_its_store and version.state == STAGED:
                self._catalog.versions.set_state(version.id, LIVE)


def folder_of(version: Version) -> bytes:
    """Return the folder of a version in any store that it is in."""
    return version.folder or version_folder(version.artifact, version.uuid)


def _contents(version: Version, catalog: Catalog) -> Iterator[_Wanted]:
    """The contents of a version, each once, under the first of its paths."""
    assert version.tree_id is not None
    folder, seen = folder_of(version), set[Digest]()
    for path, entry in catalog.trees.load(version.tree_id).walk():
        if entry.file is not None and entry.file.digest not in seen:
            seen.add(entry.file.digest)
            yield _Wanted(folder + b"/" + path, entry.file)


def _batches(contents: Iterator[_Wanted]) -> Iterator[list[_Wanted]]:
    batch: list[_Wanted] = []
    size = 0
    for wanted in contents:
        batch.append(wanted)
        size += wanted.file.size
        if len(batch) >= BATCH_FILES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


class _Speed:
    """How many bytes a second arrive, of late."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._rate: float | None = None

    def went_on(self, size: int) -> None:
        now = time.monotonic()
        rate = size / max(now - self._began, 1e-6)
        self._rate = rate if self._rate is None else 0.7 * self._rate + 0.3 * rate
        self._began = now

    @property
    def state(self) -> dict[str, Any]:
        return {} if self._rate is None else {"rate": round(self._rate)}
