"""The stores of a workspace: each is opened once, at the root and with the mark that it must have."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artfs.errors import InvalidValue, MissingLibrary, StoreError, StoreNotFound, UntrustedClass
from artfs.home.home import Home
from artfs.home.store_roots import earlier_home, kept_root, rebased
from artfs.stores.base import Store
from artfs.stores.history import StoreHistory
from artfs.stores.local.store import LocalStore, local_path
from artfs.stores.making import make_store
from artfs.stores.mark import Mark, another_store, attribute_mark, is_marked, read_mark, replace_mark, set_mark
from artfs.stores.registry import store_class

if TYPE_CHECKING:
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.stores import StoreRow
    from artfs.home.known_classes import KnownClasses

PLACES_TRIED = 200
"""So many of the contents that the catalog has in a store are looked for, to tell a store without a mark from none."""

LOOK_SECONDS = 1.0
"""So long may a process read where a store was before it was moved. Whoever saves looks each time."""

logger = logging.getLogger(__name__)


class HomeStores:
    """The stores of a home, by name or id of its catalog. Safe to use from many threads.

    Args:
        home: whose stores they are.
        catalog: gives the catalog that names them.
        classes: those that the home may import.
    """

    def __init__(self, home: Home, catalog: Callable[[], Catalog], classes: KnownClasses) -> None:
        self.home = home
        self._get_catalog = catalog
        self._classes = classes
        self._lock = threading.Lock()
        self._opened: dict[int, _Opened] = {}
        self._replaced: list[Store] = []
        self._looked = time.monotonic()
        self._own: set[int] = set()

    @property
    def active(self) -> Store:
        """The store of the active stack: where new versions go.

        Raises:
            InvalidValue: there is no such stack.
            StoreError: it is the store of another home, or its disk is not mounted.
            HomeError: the home can only be read.
        """
        name = self.home.active_stack
        row = self._catalog.stores.of_stack(name)
        if row is None:
            path = self.home.config_path
            raise InvalidValue(f"the active stack '{name}' of {path} does not exist; choose one with 'artfs stack set'")
        self.home.check_writable()
        store = self._open(row)
        self.check_own(store)
        return store

    def check_own(self, store: Store) -> None:
        """Raise StoreError for a store that another home uses: bytes must neither come into it from here, nor go."""
        if store.id is None or not isinstance(store, LocalStore):
            return
        store.check_there()
        if store.id in self._own:
            return
        home = self.home
        wanted = mark_of(home, store.name)
        if not own(store.root, wanted, home):
            found = read_mark(store.root)
            if found is not None and not found.is_of(wanted):
                raise another_store(store.root, found, wanted)
            why = f"belongs to another home, of which {home.path} may be a copy"
            what_to_do = "register one of its own with 'artfs artifact-store register' and choose it with a stack"
            raise StoreError(f"the artifact store at '{store.root}' {why}: {what_to_do}", subject=store.root)
        self._own.add(store.id)

    def by_id(self, store_id: int) -> Store:
        """Return the store of that id; raises StoreNotFound."""
        self._look_for_moved_ones()
        with self._lock:
            if (opened := self._opened.get(store_id)) is not None:
                return opened.store
        row = self._catalog.stores.by_id(store_id)
        if row is None:
            raise StoreNotFound(f"no artifact store has the id {store_id}", subject=str(store_id))
        return self._open(row)

    def by_name(self, name: str) -> Store:
        """Return the store of that name; raises StoreNotFound."""
        row = self._catalog.stores.get(name)
        if row is None:
            raise StoreNotFound(f"no artifact store is named '{name}'; see 'artfs artifact-store list'", subject=name)
        return self._open(row)

    def local(self) -> list[LocalStore]:
        """Return the stores whose files are on this machine."""
        stores: list[Store] = []
        for row in self._catalog.stores.list():
            try:
                stores.append(self._open(row))
            except UntrustedClass as error:
                logger.warning("artifact store '%s' is left out: %s", row.name, error)
            except (StoreError, MissingLibrary) as error:
                # A flavour that only other programs have must not stop those who ask about this machine's files.
                logger.info("artifact store '%s' is left out: %s", row.name, error)
        return [store for store in stores if isinstance(store, LocalStore)]

    def rows(self) -> list[StoreRow]:
        """Return what the catalog says of every store, by name, with its full root wherever the home is now."""
        return [self.located(row) for row in self._catalog.stores.list()]

    def located(self, row: StoreRow) -> StoreRow:
        """Return a row of the catalog with the full path or URI of its root."""
        return replace(row, root=rebased(row, self._earlier_home, str(self.home.path)))

    def write_down_relative(self) -> None:
        """Let the catalog keep roots inside the home relative to it, as the first release did not."""
        catalog, home = self._catalog, str(self.home.path)
        kept = [(row, kept_root(self.located(row).root, home)) for row in catalog.stores.list()]
        changed = {row.id: root for row, root in kept if root != row.root}
        if changed:
            with catalog.transaction():
                for store_id, root in changed.items():
                    catalog.stores.move(store_id, root)

    def histories(self) -> Iterator[tuple[str, StoreHistory]]:
        """Yield the root and the history of every local store of this home that is there."""
        for row in self.rows():
            if (root := local_path(row.root)) is None:
                continue
            try:
                wanted = mark_of(self.home, row.name)
                is_own = is_marked(root) and os.access(root, os.W_OK) and own(root, wanted, self.home)
            except StoreError as error:
                logger.warning("%s", error)
                continue
            if is_own:
                yield root, StoreHistory(root, self.home.sharing)

    def close(self) -> None:
        """Close all of them."""
        with self._lock:
            for store in [*(opened.store for opened in self._opened.values()), *self._replaced]:
                store.close()
            self._opened.clear()
            self._replaced.clear()

    @property
    def _catalog(self) -> Catalog:
        return self._get_catalog()

    @cached_property
    def _earlier_home(self) -> str | None:
        return earlier_home(self._catalog.stores.list(), self.home)

    def _look_for_moved_ones(self) -> None:
        """Ask the catalog, now and then, whether another process has moved a store."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        rows = self.rows()
        with self._lock:
            for row in rows:
                self._forget_unless_so(row)

    def _forget_unless_so(self, row: StoreRow) -> None:
        """Let a store be opened anew that is not where the row says, or not as it says. Called with the lock held."""
        opened = self._opened.get(row.id)
        if opened is not None and (opened.root, opened.options) != (row.root, row.options):
            # Others may be using it right now: closing it would take its directory from under them.
            self._replaced.append(opened.store)
            del self._opened[row.id]
            self._own.discard(row.id)

    def _open(self, row: StoreRow) -> Store:
        row = self.located(row)
        with self._lock:
            self._forget_unless_so(row)
            if row.id not in self._opened:
                kind = store_class(row.flavor, row.options, self._classes.allows)
                store = make_store(kind, row.root, row.options, id=row.id, name=row.name)
                if isinstance(store, LocalStore):
                    store.share(self.home.sharing, self.home.identity)
                    if row.marked or self._can_be_marked(store):
                        store.require_mark(mark_of(self.home, row.name))
                self._opened[row.id] = _Opened(row.root, row.options, store)
            return self._opened[row.id].store

    def _can_be_marked(self, store: Store) -> bool:
        """Give a store of the first release its mark, and answer whether it is the store only with one.

        It gets none unless it is certain to be there: an unmounted disk leaves an empty directory.
        """
        assert store.id is not None
        home = self.home
        if is_marked(store.root):
            if home.is_writable:
                self._catalog.stores.set_marked(store.id)
            return True
        if not os.path.isdir(store.root):
            return True
        earlier = attribute_mark(store.root)
        if earlier is not None and not _was_moved(earlier, home):
            return False  # another home's, which marks it itself; this one may only read there
        if earlier is None and not self._holds_what_the_catalog_says(store):
            return True
        if not os.access(store.root, os.W_OK):
            return False
        set_mark(store.root, mark_of(home, store.name), home.sharing)
        if home.is_writable:
            self._catalog.stores.set_marked(store.id)
        return True

    def _holds_what_the_catalog_says(self, store: Store) -> bool:
        """Whether something is in a store that the catalog has there, or the catalog has nothing there."""
        assert store.id is not None
        paths = self._catalog.blobs.paths_in(store.id, PLACES_TRIED)
        return not paths or any(os.path.lexists(store.place_path(path)) for path in paths)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A store, and what the catalog said of it when it was opened."""

    root: str
    options: Mapping[str, Any]
    store: Store


def mark_of(home: Home, store: str) -> Mark:
    """Return the mark of a home's store of that name."""
    return Mark(home.identity, os.path.realpath(home.path), store)


def own(root: str, wanted: Mark, home: Home) -> bool:
    """Mark a root that bears no mark yet, and answer whether it is the home's now.

    A home may be moved, and its stores with it; a copy of a home is another one for the stores outside of it.

    Args:
        root: of the store.
        wanted: the mark that it shall bear.
        home: whose store it shall be.
    """
    found = read_mark(root)
    if found is None:
        found = attribute_mark(root) or set_mark(root, wanted, home.sharing)
    if found == wanted:
        return True
    is_inside = os.path.realpath(root).startswith(wanted.home_path + "/")
    if found.home != wanted.home or not (is_inside or _was_moved(found, home)):
        return False
    if is_marked(root):
        replace_mark(root, wanted, home.sharing)
    else:
        set_mark(root, wanted, home.sharing)
    return True


def _was_moved(found: Mark, home: Home) -> bool:
    """Whether a mark is of this home where it was before, and not of one that is still there and was copied."""
    if found.home != home.identity:
        return False
    there = Home(Path(found.home_path)) if found.home_path else home
    try:
        return os.path.samefile(there.identity_path, home.identity_path) or there.identity != found.home
    except FileNotFoundError:
        return True
