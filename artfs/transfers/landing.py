"""Where bytes land on this machine before a store has them: an area a store, on a file system of one's choice.

    a local store     is its own landing area: what has landed there has arrived
    any other         `<landing>/<home>/<store>`, where `landing` is a setting, else `landing/<store>` in the home

In an area lies what its store will have, at the same paths below its root.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from artfs.errors import StoreError
from artfs.stores.local.store import LocalStore

if TYPE_CHECKING:
    from artfs.home.home import Home
    from artfs.stores.base import Store


class Landing:
    """The landing areas of a home. Many threads may use it.

    Args:
        home: whose they are.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._lock = threading.Lock()
        self._areas: dict[int, LocalStore] = {}

    def area(self, store: Store) -> LocalStore:
        """Return the landing area of a store, made if need be.

        Raises StoreError if it cannot be made, as when its disk is not mounted.
        """
        if isinstance(store, LocalStore):
            return store
        assert store.id is not None, "only stores of the catalog are owed anything"
        with self._lock:
            if store.id not in self._areas:
                self._areas[store.id] = self._made(store.name, self._folder() / str(store.id))
            return self._areas[store.id]

    def close(self) -> None:
        """Close all of them."""
        with self._lock:
            while self._areas:
                self._areas.popitem()[1].close()

    def _folder(self) -> Path:
        chosen = self._home.config.landing
        return self._home.path / "landing" if chosen is None else Path(chosen) / self._home.identity

    def _made(self, store: str, path: Path) -> LocalStore:
        try:
            self._home.sharing.make_folders(path, path.parent)
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else str(error)
            raise StoreError(
                f"the landing area of the artifact store '{store}' cannot be made at '{path}': {why}; choose another "
                f"folder with 'landing' in {self._home.config_path}",
                subject=path,
            ) from error
        area = LocalStore(str(path), name=f"landing area of {store}")
        area.share(self._home.sharing)
        return area
