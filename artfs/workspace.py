"""One home with everything that belongs to it: where the parts of artfs are put together."""

from __future__ import annotations

import getpass
import logging
import os
import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from artfs.artifacts.checked import Checked
from artfs.artifacts.syncing import Syncing
from artfs.content.digest import BLOCK_SIZE, Digest, format_digest
from artfs.errors import AlreadyExists, InvalidValue, MissingLibrary, StoreError, StoreNotFound, UntrustedClass
from artfs.home import Home
from artfs.known_classes import FILE_NAME, KnownClasses
from artfs.stores.base import Store
from artfs.stores.claimed import own
from artfs.stores.inplace import open_in_place
from artfs.stores.registry import store_class
from artfs.stores.verified import BlobReader, BlockCache, Candidate

if TYPE_CHECKING:
    from artfs.catalog.blobs import BlobPlace
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.stores import Store as StoreRow

DEFAULT = "default"
"""Name of the store and the stack that every new catalog has."""

CACHED_BLOCKS = 8
"""Verified blocks (4 MiB) kept in memory for all readers of one process together."""

logger = logging.getLogger(__name__)


class Workspace:
    """A home, its catalog and its stores, each opened when first used. Safe to use from many threads.

    Args:
        home: a home that exists; see `Workspace.open`.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self.block_cache = BlockCache(CACHED_BLOCKS * BLOCK_SIZE)
        self.checked = Checked()
        self.classes = KnownClasses(home.path / FILE_NAME)
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
            if self._catalog is None:
                from artfs.catalog.catalog import Catalog

                catalog = Catalog.open(self.home.catalog_path)
                try:
                    _ensure_defaults(catalog, self.home)
                    self._catalog = catalog
                    if catalog.unsynced.any_from_earlier_boots():
                        self.syncing.try_to_sync()
                    self.classes.begin(self._named_classes)
                except BaseException:
                    self._catalog = None
                    catalog.close()
                    raise
            return self._catalog

    def _named_classes(self) -> set[str]:
        from artfs.artifacts.named_classes import named_classes  # here: needed once in the life of a home

        return named_classes(self)

    @cached_property
    def stores(self) -> Stores:
        """The stores that the catalog names."""
        return Stores(self)

    @cached_property
    def syncing(self) -> Syncing:
        """Which small files are still to be synced."""
        return Syncing(self)

    @cached_property
    def user(self) -> str:
        """Who makes versions here: the login name, or the number of a user without one."""
        try:
            return getpass.getuser()
        except (KeyError, OSError):
            return str(os.getuid())

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


class Stores:
    """The stores of a workspace, by name or id of the catalog; each is opened once."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._opened: dict[int, Store] = {}
        self._own: set[int] = set()

    @property
    def active(self) -> Store:
        """The store of the active stack: where new versions go."""
        name = self._workspace.home.config.active_stack
        stack = self._workspace.catalog.stacks.get(name)
        if stack is None:
            path = self._workspace.home.config_path
            raise InvalidValue(f"the active stack '{name}' of {path} does not exist; choose one with 'artfs stack set'")
        store = self.by_id(stack.store_id)
        self.check_own(store)
        return store

    def check_own(self, store: Store) -> None:
        """Raise StoreError for a store that another home uses: bytes must neither come into it from here, nor go."""
        if store.id is None or store.id in self._own or not store.is_local:
            return
        home = self._workspace.home
        if not own(store.root, home):
            why = f"belongs to another home, of which {home.path} may be a copy"
            what_to_do = "register one of its own with 'artfs artifact-store register' and choose it with a stack"
            raise StoreError(f"the artifact store at '{store.root}' {why}: {what_to_do}", subject=store.root)
        self._own.add(store.id)

    def by_id(self, store_id: int) -> Store:
        """Return the store of that id; raises StoreNotFound."""
        with self._lock:
            if (store := self._opened.get(store_id)) is not None:
                return store
        row = self._workspace.catalog.stores.by_id(store_id)
        if row is None:
            raise StoreNotFound(f"no artifact store has the id {store_id}", subject=str(store_id))
        return self._open(row)

    def by_name(self, name: str) -> Store:
        """Return the store of that name; raises StoreNotFound."""
        row = self._workspace.catalog.stores.get(name)
        if row is None:
            raise StoreNotFound(f"no artifact store is named '{name}'; see 'artfs artifact-store list'", subject=name)
        return self._open(row)

    def local(self) -> list[Store]:
        """Return the stores whose files are on this machine."""
        stores: list[Store] = []
        for row in self._workspace.catalog.stores.list():
            try:
                stores.append(self._open(row))
            except UntrustedClass as error:
                logger.warning("artifact store '%s' is left out: %s", row.name, error)
            except (StoreError, MissingLibrary) as error:
                # A flavour that only other programs have must not stop those who ask about this machine's files.
                logger.info("artifact store '%s' is left out: %s", row.name, error)
        return [store for store in stores if store.is_local]

    def close(self) -> None:
        """Close all of them."""
        with self._lock:
            for store in self._opened.values():
                store.close()
            self._opened.clear()

    def _open(self, row: StoreRow) -> Store:
        with self._lock:
            if row.id not in self._opened:
                store = store_class(row.flavor, row.options, self._workspace.classes.allows)
                self._opened[row.id] = store(row.root, row.options, id=row.id, name=row.name)
            return self._opened[row.id]


def _ensure_defaults(catalog: Catalog, home: Home) -> None:
    """Processes that open a new catalog at once all get the same store and stack."""
    store = catalog.stores.get(DEFAULT)
    if store is None:
        try:
            store = catalog.stores.register(DEFAULT, "local", str(home.store_root))
            own(store.root, home)
        except AlreadyExists:
            store = catalog.stores.get(DEFAULT)
            assert store is not None
    if catalog.stacks.get(DEFAULT) is None:
        try:
            catalog.stacks.register(DEFAULT, store.id)
        except AlreadyExists:
            return
