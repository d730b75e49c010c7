"""One home with everything that belongs to it: where the parts of artfs are put together."""

from __future__ import annotations

import os
import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from artfs.blobs.compared import ComparedFiles
from artfs.errors import AlreadyExists
from artfs.home.home import Home
from artfs.home.known_classes import FILE_NAME, KnownClasses
from artfs.home.named_classes import named_classes
from artfs.home.older_catalog import catch_up
from artfs.home.store_roots import kept_root
from artfs.home.stores import HomeStores, mark_of, own
from artfs.linux import users

if TYPE_CHECKING:
    from artfs.blobs.opener import BlobOpener
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.machines import Machine
    from artfs.manifests.manifests import Manifests
    from artfs.transfers.syncing import Syncing
    from artfs.transfers.worker import Worker

DEFAULT = "default"
"""Name of the store and the stack that every new catalog has."""


class Workspace:
    """A home, its catalog and its stores, each opened when first used. Safe to use from many threads.

    Made by `open` or `of`, which put right what happened to the home and the machine since it was open last.

    Args:
        home: a home that exists.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self.checked = ComparedFiles()
        self.classes = KnownClasses(home.path / FILE_NAME, home.sharing)
        self._lock = threading.RLock()
        self._catalog: Catalog | None = None

    @classmethod
    def open(cls, home: Path | None = None) -> Workspace:
        """Return the workspace of the home at `home`, or of the usual one; a new home is made. Raises as `of` does.

        Raises HomeError if the home cannot be made.
        """
        return cls.of(Home.find(home).create())

    @classmethod
    def of(cls, home: Home) -> Workspace:
        """Return the workspace of a home that exists.

        Raises HomeError if the home cannot be used, and CatalogError if its catalog cannot.
        """
        workspace = cls(home)
        try:
            workspace._recover()
        except BaseException:
            workspace.close()
            raise
        return workspace

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
    def stores(self) -> HomeStores:
        """The stores that the catalog names."""
        return HomeStores(self.home, lambda: self.catalog, self.classes)

    # What only some programs need is imported when it is first used: lists are quick.

    @cached_property
    def blobs(self) -> BlobOpener:
        """The way to bytes."""
        from artfs.blobs.opener import BlobOpener

        return BlobOpener(self.home, lambda: self.catalog, lambda: self.stores)

    @cached_property
    def transfers(self) -> Worker:
        """What works on what is owed."""
        from artfs.transfers.worker import Worker

        return Worker(self.home, lambda: self.catalog, self.stores, lambda: self.manifests.write_owed())

    @property
    def syncing(self) -> Syncing:
        """Which small files are still to be synced."""
        return self.transfers.syncing

    @cached_property
    def manifests(self) -> Manifests:
        """What the stores know of the versions in them."""
        from artfs.manifests.manifests import Manifests

        return Manifests(self.home, lambda: self.catalog, self.stores)

    @cached_property
    def user(self) -> str:
        """Who makes versions here: the login name, or the number of a user without one. No variable changes it."""
        return users.name_of(os.geteuid())

    def _open_catalog(self) -> Catalog:
        from artfs.catalog.catalog import Catalog

        url, may_begin, mode = self.home.catalog_url, self.home.may_begin_catalog, self.home.sharing.file
        catalog = Catalog.open(url, begin=may_begin, mode=mode, machine=self._machine())
        try:
            if self.home.is_writable:
                _ensure_defaults(catalog, self.home)
            if may_begin:
                self.home.catalog_begun()
            self._catalog = catalog  # what begins the file of classes asks for it
            self.classes.begin(lambda: named_classes(catalog, lambda digest: self.blobs.open(digest)))
        except BaseException:
            self._catalog = None
            catalog.close()
            raise
        return catalog

    def _recover(self) -> None:
        catalog = self.catalog
        if not self.home.is_writable:
            return
        self.stores.write_down_relative()
        catch_up(catalog, self.stores)
        if catalog.unsynced.any_from_earlier_boots():
            self.syncing.try_to_sync()

    def close(self) -> None:
        """Close what was opened."""
        if "transfers" in self.__dict__:
            self.__dict__.pop("transfers").close()
        with self._lock:
            if "stores" in self.__dict__:
                self.__dict__.pop("stores").close()
            if self._catalog is not None:
                self._catalog.close()
                self._catalog = None
        if "blobs" in self.__dict__:
            self.blobs.memory.clear()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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
