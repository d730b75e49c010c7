"""One home with everything that belongs to it: where the parts of artfs are put together."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from artfs import users
from artfs.artifacts.checked import Checked
from artfs.artifacts.manifests import Manifests
from artfs.artifacts.named_classes import named_classes
from artfs.artifacts.syncing import Syncing
from artfs.content.digest import BLOCK_SIZE, Digest, format_digest
from artfs.errors import AlreadyExists
from artfs.home import Home
from artfs.known_classes import FILE_NAME, KnownClasses
from artfs.older import catch_up
from artfs.stores.inplace import open_in_place
from artfs.stores.opened import Stores, mark_of, own
from artfs.stores.roots import kept_root
from artfs.stores.verified import BlobReader, BlockCache, Candidate

if TYPE_CHECKING:
    from artfs.catalog.blobs import BlobPlace
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.machines import Machine

DEFAULT = "default"
"""Name of the store and the stack that every new catalog has."""

CACHED_BLOCKS = 8
"""Verified blocks (4 MiB) kept in memory for all readers of one process together."""


class Workspace:
    """A home, its catalog and its stores, each opened when first used. Safe to use from many threads.

    Args:
        home: a home that exists; see `Workspace.open`.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self.block_cache = BlockCache(CACHED_BLOCKS * BLOCK_SIZE)
        self.checked = Checked()
        self.classes = KnownClasses(home.path / FILE_NAME, home.sharing)
        self._lock = threading.RLock()
        self._catalog: Catalog | None = None

    @classmethod
    def open(cls, home: Path | None = None) -> Workspace:
        """Return the workspace of the home at `home`, or of the usual one; a new home is made.

        Raises:
            HomeError: the home cannot be made or used.
        """
        return cls(Home.find(home).create())

    @property
    def catalog(self) -> Catalog:
        """What exists; with the default store and stack in it."""
        with self._lock:
            return self._catalog or self._open_catalog()

    def _machine(self) -> Machine:
        from artfs.catalog.machines import Machine

        path = os.fsencode(os.path.realpath(self.home.path)).decode("utf-8", "backslashreplace")
        return Machine(self.home.identity, os.uname().nodename, path)

    @cached_property
    def stores(self) -> Stores:
        """The stores that the catalog names."""
        return Stores(self.home, lambda: self.catalog, self.classes)

    @cached_property
    def syncing(self) -> Syncing:
        """Which small files are still to be synced."""
        return Syncing(self.home, lambda: self.catalog, self.stores, self.manifests)

    @cached_property
    def manifests(self) -> Manifests:
        """What the stores know of the versions in them."""
        return Manifests(self.home, lambda: self.catalog, self.stores)

    @cached_property
    def user(self) -> str:
        """Who makes versions here: the login name, or the number of a user without one. No variable changes it."""
        return users.name_of(os.geteuid())

    def open_blob(
        self, digest: Digest, *, on_failure: Callable[[Candidate, OSError], None] | None = None
    ) -> BlobReader:
        """Open the content of that digest for verified reading, wherever it lies.

        Args:
            digest: of the content.
            on_failure: told about every place that failed, also when another place had the bytes.

        Raises:
            FileNotFoundError: the catalog knows no such content.
        """
        blob = self.catalog.blobs.get(digest)
        if blob is None:
            raise FileNotFoundError(f"the catalog knows no content {format_digest(digest)}")
        candidates = self.candidates(blob.id)
        has_digest = blob.kind == "content"
        return BlobReader(blob.file, candidates, cache=self.block_cache, has_digest=has_digest, on_failure=on_failure)

    def candidates(self, blob_id: int) -> list[Candidate]:
        """Return the places where the bytes of a blob should be, best first."""
        return [self._candidate(place) for place in self.catalog.blobs.places(blob_id)]

    def _open_catalog(self) -> Catalog:
        """Open the catalog and put right what happened to it, the home and the machine since it was open last."""
        from artfs.catalog.catalog import Catalog

        url, may_begin, mode = self.home.catalog_url, self.home.may_begin_catalog, self.home.sharing.file
        catalog = Catalog.open(url, begin=may_begin, mode=mode, machine=self._machine())
        try:
            if self.home.is_writable:
                _ensure_defaults(catalog, self.home)
            self._catalog = catalog  # what recovers asks for it
            if may_begin:
                self.home.catalog_begun()
            if self.home.is_writable:
                self._recover(catalog)
            self.classes.begin(lambda: named_classes(catalog, self.open_blob))
        except BaseException:
            self._catalog = None
            catalog.close()
            raise
        return catalog

    def _recover(self, catalog: Catalog) -> None:
        self.stores.write_down_relative()
        catch_up(catalog, self.stores)
        if catalog.unsynced.any_from_earlier_boots():
            self.syncing.try_to_sync()

    def close(self) -> None:
        """Close what was opened."""
        if "syncing" in self.__dict__:
            self.__dict__.pop("syncing").wait()
        with self._lock:
            if "stores" in self.__dict__:
                self.__dict__.pop("stores").close()
            if self._catalog is not None:
                self._catalog.close()
                self._catalog = None
        self.block_cache.clear()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _candidate(self, place: BlobPlace) -> Candidate:
        if place.store_id is None:
            return Candidate(
                open=lambda: open_in_place(place.path),
                shown=place.path.decode("utf-8", "backslashreplace"),
                owned=False,
                mtime_ns=place.mtime_ns,
                etag=place.etag,
            )
        store = self.stores.by_id(place.store_id)
        return Candidate(open=lambda: store.open_place(place.path), shown=store.place_path(place.path))


def _ensure_defaults(catalog: Catalog, home: Home) -> None:
    """Processes that open a new catalog at once all get the same store and stack."""
    store = catalog.stores.get(DEFAULT)
    if store is None:
        try:
            store = catalog.stores.register(
                DEFAULT, "local", kept_root(str(home.store_root), str(home.path)), marked=True
            )
            if home.store_root.is_dir():
                own(str(home.store_root), mark_of(home, DEFAULT), home)
        except AlreadyExists:
            store = catalog.stores.get(DEFAULT)
            assert store is not None
    if catalog.stacks.get(DEFAULT) is None:
        try:
            catalog.stacks.register(DEFAULT, store.id)
        except AlreadyExists:
            return
